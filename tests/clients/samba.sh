#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Samba's vfs_io_uring, through the functions of a shared liburing: each client has a process of the
# server's for itself, which sets up its ring after the fork and watches its descriptor in an epoll
# set. Files go there and back over several connections at once.
#
# The server is not installed, because that would start it: its packages are unpacked here, and it
# listens on 127.0.0.1 alone, on a port of its own.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs smbclient smbclient
[[ $(id -u) -eq 0 ]] || skip "smbd wants to be root"
module=$(dpkg-query --listfiles samba-vfs-modules 2>/dev/null | grep /io_uring.so || true)
if [[ ! -f $module ]]; then
	"$source_dir/tests/install-deps" samba-vfs-modules >install 2>&1 || true
	module=$(dpkg-query --listfiles samba-vfs-modules 2>/dev/null | grep /io_uring.so || true)
	[[ -f $module ]] || skip "samba-vfs-modules cannot be installed"
fi
smbd=$(command -v smbd || true)
if [[ -z $smbd ]]; then
	apt-get -qq download samba >download 2>&1 && dpkg-deb -x samba_*.deb unpacked ||
		skip "the package samba cannot be had"
	smbd=$work/unpacked/usr/sbin/smbd
fi

mkdir share state
# A port that nobody listens on now; should somebody else be faster, the server says so and ends.
port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
	LocalAddr => "127.0.0.1")->sockport')
cat >smb.conf <<END
[global]
	smb ports = $port
	interfaces = 127.0.0.1
	bind interfaces only = yes
	disable netbios = yes
	server role = standalone server
	private dir = $work/state
	lock directory = $work/state
	state directory = $work/state
	cache directory = $work/state
	pid directory = $work/state
	ncalrpc dir = $work/state/ncalrpc
	log file = $work/state/log
	load printers = no
	disable spoolss = yes
	map to guest = bad user
	guest account = root
	# Small pieces, and none in a call of its own.
	smb2 max read = 65536
	smb2 max write = 65536
	aio read size = 1
	aio write size = 1
[share]
	path = $work/share
	vfs objects = io_uring
	guest ok = yes
	read only = no
END

# client COMMANDS
client() {
	timeout $((seconds * slower)) smbclient --configfile=smb.conf --no-pass --port="$port" \
		//127.0.0.1/share --command="$1"
}

# server LOG WRAPPER...
server() {
	local log=$1
	shift
	start "$log" "$@" "$smbd" --foreground --configfile=smb.conf \
		--debug-stdout
	until_true grep -q 'ready to serve\|started' "$log"
}

say "without asyncring-run there is no share"
server denied.log "$deny" EPERM
until_true bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
! client "ls" >output 2>&1 || fail "io_uring was not denied"
kill -TERM "$started_pid"
ended "$started_pid"

for i in 1 2 3 4; do
	head -c $((i * 3000001)) /dev/urandom >"file-$i"
done
for answer in "${answers[@]}"; do
	say "$answer: four clients, files there and back"
	rm -f share/* back-*
	server "$answer.log" "$deny" "$answer" "$asyncring_run" --stats --
	until_true bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
	clients=()
	for i in 1 2 3 4; do
		client "put file-$i; get file-$i back-$i; put file-$i again-$i; del file-$i" \
			>"client-$i" 2>&1 &
		clients+=($!)
	done
	for pid in "${clients[@]}"; do
		wait "$pid" || fail "a client failed: $(cat client-*)"
	done
	# The processes of the clients say what was served when they end.
	until_true bash -c "[[ \$(grep -c '^asyncring-run: ' $answer.log) -ge 4 ]]"
	kill -TERM "$started_pid"
	ended "$started_pid"
	report=$answer.log was_served 1000 READV WRITEV
	for i in 1 2 3 4; do
		cmp "file-$i" "back-$i" || fail "file $i came back changed"
		cmp "file-$i" "share/again-$i" || fail "file $i was written wrongly"
		[[ ! -e share/file-$i ]] || fail "file $i was not removed"
	done
done
