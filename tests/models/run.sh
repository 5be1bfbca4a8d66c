#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh NAME: search tests/models/NAME.pml exhaustively with spin.
#
# A model is searched as it stands, which must find no error, and once more for each number N that
# it compares BROKEN with ("#if BROKEN == N": the mistake somebody could make there), which must
# find one. So a model that has become too tame to notice anything does not pass. A search that ran
# into its depth or memory limit has proved nothing and fails.
#
# CC names the C compiler, cc if unset. Exit status 77: no spin or no compiler, nothing searched.
set -euo pipefail

model=$(dirname "$(realpath "$0")")/$1.pml
compiler=${CC:-cc}

command -v spin >/dev/null || { echo "skipped: no spin"; exit 77; }
command -v "$compiler" >/dev/null || { echo "skipped: no C compiler"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# search BROKEN: leaves the verifier's words in "report".
search() {
	spin -P"$compiler -E -x c" -DBROKEN="$1" -a "$model"
	"$compiler" -O1 -w -DMEMLIM=2048 -DCOLLAPSE -DSAFETY -DNOCLAIM -o pan pan.c
	./pan -m100000 >report 2>&1 || true
	if grep -Eq 'max search depth too small|out of memory|MEMLIM bound|Unterminated' report; then
		cat report
		echo "FAILED: the search was not exhaustive"
		exit 1
	fi
}

search 0
if ! grep -q 'errors: 0$' report; then
	cat report
	# The way there, step by step.
	spin -P"$compiler -E -x c" -DBROKEN=0 -t -p -g -l "$model" | tail -n 200
	echo "FAILED: $1 has an error"
	exit 1
fi
echo "$1: no error in $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report) states"

variants=$(grep -oE 'BROKEN [!=]= [1-9]' "$model" | grep -oE '[1-9]' | sort -u)
[[ $variants ]] || { echo "FAILED: $1 has no broken variant"; exit 1; }
for variant in $variants; do
	search "$variant"
	if ! grep -qE 'errors: [1-9]' report; then
		cat report
		echo "FAILED: nothing found wrong with $1, BROKEN == $variant"
		exit 1
	fi
	echo "$1, BROKEN == $variant: $(sed -n 's/^pan:[0-9]*: //p' report | head -n 1)"
done
