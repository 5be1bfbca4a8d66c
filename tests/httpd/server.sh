#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arhttpd as well-behaved clients see it, and how it copes with the others: statuses, ranges,
# conditions, persistent connections, what must not be reachable; clients that are slow, that
# vanish, that send too much or nonsense; files that shrink; its end.

# shellcheck source=tests/httpd/lib.sh disable=SC2154
. "$(dirname "$0")/lib.sh"

needs curl curl

root=$work/root
mkdir -p "$root/sub/deep" "$root/no index" "$root/.well-known" "$work/outside"
echo secret >"$work/outside/secret"
echo '<h1>Welcome</h1>' >"$root/index.html"
echo deep >"$root/sub/deep/file.txt"
echo sub >"$root/sub/index.html"
: >"$root/empty.css"
echo odd >"$root/odd name%#ä"
head -c 4096 /dev/urandom >"$root/4k.bin"
head -c 1048576 /dev/urandom >"$root/1m.bin"
head -c 33000001 /dev/urandom >"$root/large.bin"
ln -s sub/deep/file.txt "$root/inside"
ln -s ../../index.html "$root/sub/deep/up"
ln -s ../outside/secret "$root/escape"
ln -s "$work/outside" "$root/escape-directory"
ln -s /proc/self/root "$root/magic"
ln -s loop "$root/loop"
mkfifo "$root/fifo"
echo forbidden >"$root/forbidden"
chmod 0 "$root/forbidden"

curl=(curl --silent --show-error --path-as-is --max-time "$patience")

# gives STATUS PATH [CURL-OPTION...]: what was said is in the files head and body.
gives() {
	local wanted=$1 path=$2 got
	shift 2
	got=$("${curl[@]}" -D "$work/head" -o "$work/body" -w '%{http_code}' "$@" "$url$path" \
		2>"$work/complaint")
	[ "$got" = "$wanted" ] || fail "$path $*: $got instead of $wanted $(cat "$work/complaint")"
}
has_field() {
	tr -d '\r' <"$work/head" | grep -qixF -- "$1" ||
		fail "no '$1' in $(tr '\r\n' ' |' <"$work/head")"
}
has_no_field() {
	grep -qi "^$1:" "$work/head" && fail "there is a field $1"
}
# sends TEXT (for printf): what comes back until the server closes is in the file answer.
sends() {
	# shellcheck disable=SC2059
	exec 3<>"/dev/tcp/127.0.0.1/$port" && printf "$1" >&3
	timeout "$patience" cat <&3 >"$work/answer" || fail "the server does not close: $1"
	exec 3>&-
}
answers() {
	head -n 1 "$work/answer" | grep -q "^HTTP/1.1 $1 " ||
		fail "instead of $1: $(head -c 200 "$work/answer")"
}
client_does() {
	timeout $((4 * patience)) "$client" "$port" "$@" 2>"$work/complaint" ||
		fail "client $*: $(cat "$work/complaint")"
}

start_server "$root"
idle_descriptors=$(descriptors)
settled() {
	[ "$(descriptors)" -le "$idle_descriptors" ]
}

test="files"
for file in index.html sub/deep/file.txt 4k.bin 1m.bin large.bin; do
	gives 200 "/$file"
	cmp "$root/$file" "$work/body" || fail "$file differs"
	has_field "Content-Length: $(stat -c %s "$root/$file")"
	has_field "Accept-Ranges: bytes"
done
gives 200 /
cmp "$root/index.html" "$work/body" || fail "index"
has_field "Content-Type: text/html; charset=utf-8"
grep -qE '^Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z]{2} [0-9]{4} ' "$work/head" ||
	fail "no date"
has_field "Last-Modified: $(date -u -r "$root/index.html" '+%a, %d %b %Y %H:%M:%S GMT')"
gives 200 /empty.css
has_field "Content-Length: 0"
has_field "Content-Type: text/css; charset=utf-8"
gives 200 "/odd%20name%25%23%C3%A4?query"
grep -qx odd "$work/body" || fail "odd name"
gives 200 //sub/./deep//../deep/file.txt
gives 200 /inside
grep -qx deep "$work/body" || fail "a link inside"
gives 200 /sub/deep/up
gives 404 /missing
gives 404 /missing/file
gives 404 /index.html/
gives 404 /index.html/file
gives 404 /sub/deep/
gives 404 "/$(printf '%0300d' 0)"

test="files that are not in memory"
for _ in 1 2 3; do
	sync "$root/large.bin"
	dd if="$root/large.bin" iflag=nocache count=0 status=none
	gives 200 /large.bin
	cmp "$root/large.bin" "$work/body" || fail "differs"
done

test="directories"
gives 200 /sub/
grep -qx sub "$work/body" || fail "index"
gives 301 /sub
has_field "Location: /sub/"
gives 301 "/no%20index?a=b"
has_field "Location: /no%20index/?a=b"
gives 301 //sub
has_field "Location: /sub/"
gives 404 "/no%20index/"
long=$(printf 'ä%.0s' {1..80}) query=$(printf '%0254d' 0)
mkdir "$root/$long"
gives 301 "/$(printf '%%C3%%A4%.0s' {1..80})?$query"
has_field "Location: /$(printf '%%C3%%A4%.0s' {1..80})/?$query"
has_field "Content-Length: $(stat -c %s "$work/body")"
mkdir "$root/$long/$long"
gives 414 "/$(printf '%%C3%%A4%.0s' {1..80})/$(printf '%%C3%%A4%.0s' {1..80})"

test="HEAD"
gives 200 /large.bin --head
has_field "Content-Length: 33000001"
[ -s "$work/body" ] && ! cmp -s "$work/head" "$work/body" && fail "a body"
gives 404 /missing --head
gives 301 /sub --head

test="ranges"
for range in 0-0 5-9 4000-5000 4095- -1 -4096 -9999; do
	gives 206 /4k.bin --range "$range"
	case $range in
	-*) tail -c "${range#-}" "$root/4k.bin" >"$work/part" ;;
	*)
		first=${range%-*} last=${range#*-}
		tail -c +$((first + 1)) "$root/4k.bin" |
			head -c $((${last:-9999} - first + 1)) >"$work/part"
		;;
	esac
	cmp "$work/part" "$work/body" || fail "$range differs"
done
gives 206 /large.bin --range 20000000-30000000
has_field "Content-Range: bytes 20000000-30000000/33000001"
tail -c +20000001 "$root/large.bin" | head -c 10000001 | cmp - "$work/body" || fail "differs"
gives 416 /4k.bin --range 4096-
has_field "Content-Range: bytes */4096"
gives 416 /empty.css --range 0-
gives 200 /4k.bin --range 0-1,3-4
gives 200 /4k.bin -H "Range: bytes=9-5"
gives 200 /4k.bin --range 0-5 --head

test="conditions"
gives 200 /4k.bin
etag=$(sed -n 's/^ETag: \(.*\)\r/\1/p' "$work/head")
modified=$(sed -n 's/^Last-Modified: \(.*\)\r/\1/p' "$work/head")
gives 304 /4k.bin -H "If-None-Match: $etag"
has_field "ETag: $etag"
has_no_field Content-Length
gives 304 /4k.bin -H "If-None-Match: \"x\", W/$etag"
gives 304 /4k.bin -H "If-None-Match: *"
gives 200 /4k.bin -H 'If-None-Match: "x"' -H "If-Modified-Since: $modified"
gives 304 /4k.bin -H "If-Modified-Since: $modified"
gives 200 /4k.bin -H "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT"
gives 200 /4k.bin -H "If-Modified-Since: yesterday"
gives 206 /4k.bin --range 0-5 -H "If-Range: $etag"
gives 206 /4k.bin --range 0-5 -H "If-Range: $modified"
gives 200 /4k.bin --range 0-5 -H 'If-Range: "x"'
echo more >>"$root/index.html"
gives 200 /index.html
changed=$(sed -n 's/^ETag: \(.*\)\r/\1/p' "$work/head")
touch -d '2001-02-03 04:05:06' "$root/index.html"
gives 200 /index.html -H "If-None-Match: $changed"
has_field "Last-Modified: Sat, 03 Feb 2001 04:05:06 GMT"

test="what is not served"
gives 405 / -X POST -d body
has_field "Allow: GET, HEAD"
gives 405 / -X OPTIONS
gives 501 / -X BREW
gives 501 / -X GET -H "Transfer-Encoding: chunked" -d body
gives 413 / -X GET -d body
gives 414 "/$(printf '%02100d' 0)"
gives 431 / -H "X: $(printf '%09000d' 0)"
gives 400 "/%00"
gives 400 "/a%0"
sends 'GET / HTTP/2.0\r\n\r\n' && answers 505
sends 'GET / HTTP/1.1\r\n\r\n' && answers 400
sends 'nonsense\r\n\r\n' && answers 400
sends '\x16\x03\x01\x02\x00\x01' && answers 400

test="nothing outside is reachable"
for path in /../outside/secret /sub/../../outside/secret /%2e%2e/outside/secret \
	/..%2foutside%2fsecret /.%2e/outside/secret '/..%5coutside%5csecret' '/..\outside\secret' \
	/escape /escape-directory/secret /magic/etc/passwd "/magic$work/outside/secret" \
	"/$work/outside/secret" "//$work/outside/secret" /loop /fifo /..%00/outside/secret \
	/sub/%2e%2e/%2e%2e/outside/secret /....//outside/secret /%252e%252e/outside/secret; do
	got=$("${curl[@]}" -o "$work/body" -w '%{http_code}' "$url$path" 2>&1)
	case $got in
	400 | 403 | 404) ;;
	*) fail "$path: $got" ;;
	esac
	grep -q secret "$work/body" && fail "$path is reachable"
done
gives 403 /escape
gives 403 /escape-directory/secret
gives 403 /magic/etc/passwd
gives 403 /loop
gives 403 /fifo
if [ "$(id -u)" -ne 0 ]; then
	gives 403 /forbidden
fi

test="persistent connections"
connections=$("${curl[@]}" -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}\n' \
	"$url/4k.bin" "$url/missing" "$url/1m.bin" | paste -sd +)
[ $((connections)) -eq 1 ] || fail "$connections connections"
connections=$("${curl[@]}" -H "Connection: close" -o /dev/null -o /dev/null \
	-w '%{num_connects}\n' "$url/4k.bin" "$url/4k.bin" | paste -sd +)
[ $((connections)) -eq 2 ] || fail "close: $connections connections"
gives 200 / --http1.0
has_field "Connection: close"
gives 200 / --http1.0 -H "Connection: keep-alive"
has_field "Connection: keep-alive"

test="pipelining"
sends 'GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\nHEAD /1m.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /missing HTTP/1.1\r\nHost: x\r\n\r\nGET /sub/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n'
[ "$(sed -n 's/^HTTP.1.1 \([0-9]*\).*/\1/p' "$work/answer" | paste -sd ' ')" = "200 200 404 200" ] ||
	fail "$(cat "$work/answer")"
[ "$(grep -c '^sub$' "$work/answer")" -eq 2 ] || fail "bodies"
client_does ahead 20000

test="clients that misbehave"
client_does endless-head
client_does endless-field
client_does endless-target
client_does garbage
client_does resets /large.bin
client_does resets /missing
client_does half-close
within settled || fail "descriptors are left: $(ls -l "/proc/$server/fd")"
gives 200 /4k.bin
cmp "$root/4k.bin" "$work/body" || fail "differs"

test="a file that shrinks"
truncate -s 64M "$root/shrinks"
client_does truncation /shrinks "$root/shrinks"
gives 200 /shrinks
[ "$(stat -c %s "$work/body")" -eq 1000 ] || fail "not 1000 bytes"

test="without descriptors"
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n' >&3
read -r -t "$patience" _ <&3 || fail "no answer"
if prlimit --pid "$server" --nofile=3: 2>/dev/null; then
	printf 'GET /4k.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
	timeout "$patience" cat <&3 >"$work/answer" || fail "the server does not close"
	grep -aq '^HTTP/1.1 503 ' "$work/answer" || fail "$(head -c 500 "$work/answer")"
	"${curl[@]}" -o "$work/body" -w '%{http_code}' "$url/4k.bin" >"$work/code" &
	waiting=$!
	prlimit --pid "$server" --nofile="$(ulimit -Hn):"
	wait $waiting || fail "who has waited is not served"
	# In the kernel a connection takes no descriptor, so there may have been none for the file.
	case $(cat "$work/code") in
	200) cmp "$root/4k.bin" "$work/body" || fail "differs" ;;
	503) ;;
	*) fail "who has waited gets $(cat "$work/code")" ;;
	esac
	gives 200 /4k.bin
	cmp "$root/4k.bin" "$work/body" || fail "differs"
else
	echo "skipped: $test: there is no prlimit here"
fi
exec 3>&-
"${curl[@]}" -o /dev/null "$url/4k.bin"
within settled || fail "descriptors are left"
stops_well

test="time limits"
# Long enough for a client on a busy machine to say what it has to say in time.
start_server --header-timeout=$((patience / 5)) --idle-timeout=1 --stall-timeout=1 "$root"
idle_descriptors=$(descriptors)
client_does slow-head
client_does idle
mkfifo "$work/holding"
"$client" "$port" hold /large.bin <"$work/holding" >"$work/held" 2>&1 &
holding=$!
exec 4>"$work/holding"
within grep -q holding "$work/held" || fail "no answer"
within settled || fail "it has patience for who takes nothing"
exec 4>&-
wait $holding || fail "the client that took nothing: $(cat "$work/held")"
stops_well

test="a limit of connections"
start_server --connections=10 "$root"
client_does limit 10
client_does limit 10
stops_well

test="a UNIX socket"
start_server --listen "unix:$work/socket" "$root"
"${curl[@]}" --unix-socket "$work/socket" -o "$work/body" http://here/1m.bin || fail "no answer"
cmp "$root/1m.bin" "$work/body" || fail "differs"
stops_well
[ -e "$work/socket" ] && fail "the socket is still there"

test="the end, with a download under way"
start_server --verbose --grace=600 "$root"
"$client" "$port" hold /large.bin <"$work/holding" >"$work/held" 2>&1 &
holding=$!
exec 4>"$work/holding"
within grep -q holding "$work/held" || fail "no answer"
exec 3<>"/dev/tcp/127.0.0.1/$port" # idle: it is closed at once
kill -TERM "$server"
timeout "$patience" cat <&3 >"$work/answer" || fail "an idle connection stays"
exec 3>&-
refused() {
	! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}
within refused || fail "new connections are accepted"
kill -0 "$server" || fail "it does not wait"
echo go on >&4
exec 4>&-
wait $holding || fail "the download is incomplete: $(cat "$work/held")"
wait "$server"
status=$?
server=
[ $status -eq 0 ] || fail "exit status $status"
grep -qE "^[0-9]+ GET '?large.bin'? 200 33000001\$" "$work/log" || fail "log: $(cat "$work/log")"

test="the end, whatever a client does"
start_server --grace=1 "$root"
"$client" "$port" hold /large.bin <"$work/holding" >"$work/held" 2>&1 &
holding=$!
exec 4>"$work/holding"
within grep -q holding "$work/held" || fail "no answer"
kill -TERM "$server"
ended() {
	! kill -0 "$server" 2>/dev/null
}
within ended || fail "it waits for ever"
stops_well
exec 4>&-
wait $holding || fail "the client: $(cat "$work/held")"

test="the command line"
"${arhttpd[@]}" --help >"$work/output" || fail "no help"
"${arhttpd[@]}" "$work/nowhere" 2>"$work/errors" && fail "a directory that is not there is no error"
grep -q "No such file" "$work/errors" || fail "$(cat "$work/errors")"
"${arhttpd[@]}" --listen nonsense "$root" 2>"$work/errors" && fail "nonsense is no error"
"${arhttpd[@]}" --connections=0 "$root" 2>"$work/errors" && fail "no connections are no error"

finish
