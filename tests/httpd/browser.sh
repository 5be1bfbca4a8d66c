#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The documents as docs/render makes them, served by arhttpd to a browser (Chromium, headless): the
# pages are there, with their headings and tables, the stylesheet is applied, and all links, those
# within a page too, lead somewhere.

# shellcheck source=tests/httpd/lib.sh disable=SC2154
. "$(dirname "$0")/lib.sh"

needs cmark-gfm cmark-gfm
needs chromium chromium

root=$work/html
test="rendering"
"$source/docs/render" "$root" || fail "docs/render"
pages=$(cd "$root" && find . -name '*.html' | sed 's|^\./||' | sort)

# A page of its own holds all others in frames, and has looked at them when its load is over.
{
	cat <<-'END'
		<!doctype html>
		<title>check</title>
		<pre id="result"></pre>
	END
	for page in $pages; do
		echo "<iframe src=\"/$page\"></iframe>"
	done
	cat <<-'END'
		<script>
		function status(url) {
			const request = new XMLHttpRequest();
			request.open("HEAD", url, false);
			request.send();
			return request.status;
		}
		function look(frame, say) {
			const page = frame.contentDocument, window = frame.contentWindow;
			const count = (what) => page.querySelectorAll(what).length;
			const style = (what, property) =>
				window.getComputedStyle(page.querySelector(what))[property];
			const path = window.location.pathname.slice(1);

			say(`page ${path} headings ${count("main h1, main h2, main h3")} tables ${count("main table")} code ${count("main pre")}`);
			say(`style ${path} ${style("nav", "display")} ${style("main", "maxWidth")}`);
			for (const link of page.querySelectorAll("a[href]")) {
				const url = new URL(link.href);
				if (url.host != window.location.host)
					continue;
				say(`link ${status(url.href)} ${path} ${link.getAttribute("href")}`);
				if (url.hash && url.pathname == window.location.pathname &&
				    !page.getElementById(url.hash.slice(1)))
					say(`dangling ${path} ${url.hash}`);
			}
		}
		window.addEventListener("load", () => {
			const lines = [];
			for (const frame of document.querySelectorAll("iframe"))
				look(frame, (line) => lines.push(line));
			document.getElementById("result").textContent = "\n" + lines.join("\n") + "\nfinished\n";
		});
		</script>
	END
} >"$root/check.html"

start_server --verbose "$root"

# browse URL: the document tree that comes of it.
browse() {
	timeout $((6 * patience)) chromium --headless --no-sandbox --disable-gpu --disable-quic \
		--no-first-run --disable-background-networking --disable-component-update \
		--disable-sync --disable-dev-shm-usage --user-data-dir="$(mktemp -d "$work/profile.XXXX")" \
		--dump-dom "$1" 2>"$work/chromium"
}
browse about:blank >/dev/null || skip_all "chromium does not run here: $(tail -n 3 "$work/chromium")"

test="the first page"
browse "$url/" >"$work/dom" || fail "$(tail -n 3 "$work/chromium")"
grep -q '<h1 id="libasyncring">' "$work/dom" || fail "no heading: $(head -c 500 "$work/dom")"
grep -q '<th>asyncring</th>' "$work/dom" || fail "no table"

# shellcheck disable=SC2034 # for fail()
test="all pages"
browse "$url/check.html" >"$work/dom" || fail "$(tail -n 3 "$work/chromium")"
grep -qx finished "$work/dom" || fail "no result: $(head -c 1000 "$work/dom")"
for page in $pages; do
	markdown=docs/$(basename "$page" .html).md
	[ "$page" = index.html ] && markdown=README.md
	# What the page has is what its source has.
	headings=$(awk '/^```/ { code = !code } !code && /^##?#? /' "$source/$markdown" | wc -l)
	tables=$(grep -cE '^\| ?:?-+' "$source/$markdown")
	grep -q "^page $page headings $headings tables $tables code " "$work/dom" ||
		fail "$page: $headings headings and $tables tables: $(grep "^page $page " "$work/dom")"
	# Neither is what a browser does by itself.
	grep -q "^style $page flex 864px" "$work/dom" || fail "$(grep "^style $page " "$work/dom")"
done
links=$(grep -c '^link 200 ' "$work/dom")
[ "$links" -ge 20 ] || fail "only $links links"
sed -n '/^link 200 /d; /^link /p' "$work/dom" >"$work/bad"
[ -s "$work/bad" ] && fail "$(cat "$work/bad")"
grep -q '^dangling ' "$work/dom" && fail "$(grep '^dangling ' "$work/dom")"
echo "$(wc -w <<<"$pages") pages, $links links, $(threads) thread(s)"
stops_well
grep -q "GET 'style.css' 200" "$work/log" || fail "nobody has asked for the stylesheet"

finish
