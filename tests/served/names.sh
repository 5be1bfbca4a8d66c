#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Description: every function of the installed liburing has one in the library that asyncring-run
# loads, so that no call of a program linked with it goes past that. And nothing else is there but
# what preload.map lists.
set -euo pipefail

preload=$(dirname "$1")/libasyncring-run.so
liburing=$(pkg-config --variable=libdir liburing)/liburing.so
[[ -e $liburing ]] || { echo "skipped: no shared liburing here" >&2 && exit 77; }

exported() {
	nm --dynamic --defined-only --extern-only --portability "$1" |
		awk '$2 != "A" { print $1 }' | sed 's/@.*//' | sort -u
}

missing=$(comm -13 <(exported "$preload") <(exported "$liburing"))
[[ -z $missing ]] || { echo "FAILED: not interposed: $missing" >&2 && exit 1; }

internal=$(exported "$preload" | grep -E '^(asyncring|serve_|trap_|next_|signals_|descriptors_)' || true)
[[ -z $internal ]] || { echo "FAILED: visible to programs: $internal" >&2 && exit 1; }
