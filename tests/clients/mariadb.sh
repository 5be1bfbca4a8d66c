#!/bin/bash
# SPDX-License-Identifier: MIT
#
# MariaDB, whose InnoDB has a ring for its reads and writes, through the functions of a shared
# liburing: tables are filled over many connections, the server is killed in the middle of it, a
# second one recovers, and what was committed is there. While it runs its locks on its files are
# held: nothing that is done here may let go of them (a closed descriptor would).
#
# No network, a data directory and a socket of its own.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs mariadbd mariadb-server-core
needs mariadb mariadb-client-core
needs mariadb-install-db mariadb-server-core

options=(--no-defaults --datadir="$work/data" --skip-networking --skip-log-bin
	--innodb-use-native-aio=1 --innodb-buffer-pool-size=16M --innodb-log-file-size=16M
	--innodb-flush-log-at-trx-commit=1 --innodb-fast-shutdown=0)
# Only who is root may be told to be somebody; the server refuses to be root without.
[[ $(id -u) -ne 0 ]] || options+=(--user=root)
# Socket paths are short.
socket=$work/s

sql() {
	timeout $((seconds * slower)) mariadb --no-defaults --user=root --socket="$socket" \
		--batch --skip-column-names "$@"
}

# server LOG WRAPPER...: is running, and answers; its process is $server.
server() {
	local log=$1
	shift
	start "$log" "$@" mariadbd "${options[@]}" --socket="$socket" --pid-file="$work/pid"
	server=$started_pid
	until_true sql -e 'select 1'
}

say "a data directory, by the server's own script"
limited mariadb-install-db --no-defaults --datadir="$work/data" --skip-test-db \
	--auth-root-authentication-method=normal --user="$(id -un)"
[[ $status -eq 0 ]] || fail "mariadb-install-db: $status"

say "without asyncring-run InnoDB does without io_uring"
server denied.log "$deny" EPERM
kill -TERM "$server"
ended "$server"
grep -q 'io_uring_queue_init() failed' denied.log || fail "$(tail denied.log)"

say "EPERM: tables filled over eight connections"
server first.log "$deny" EPERM "$asyncring_run" --stats --
grep -q 'InnoDB: Using io_uring' first.log || fail "$(tail first.log)"
sql -e 'create database t'
for table in 0 1 2 3; do
	sql t -e "create table t$table (id int primary key auto_increment, writer int, number int,
		v varbinary(2000), unique key (writer, number)) engine=innodb"
done

# The locks of a process on its files, by inode; /proc/locks is the kernel's own list.
locks_on() {
	local inode
	inode=$(stat -c %i "$work/data/$1")
	grep -cE "POSIX +ADVISORY +WRITE $server [0-9a-f:]+:$inode " /proc/locks || true
}
# Each writer fills all tables, one transaction after the other, and keeps what it has been told of
# those that were committed.
writer() {
	local writer=$1 rounds=$2 i=0
	while ((i < rounds)); do
		for _ in {1..10}; do
			echo "begin;"
			for table in 0 1 2 3; do
				echo "insert into t$table (writer, number, v)
					values ($writer, $i, repeat(char(65 + $i % 26), 700 + $i % 800));"
			done
			echo "commit; select $i;"
			((++i))
		done
	done | sql --unbuffered t >"committed-$writer" 2>"writer-$writer"
}
writers=()
for w in 1 2 3 4 5 6 7 8; do
	writer $w 300 &
	writers+=($!)
done
for pid in "${writers[@]}"; do
	wait "$pid" || fail "a writer failed: $(cat writer-*)"
done
for file in ibdata1 aria_log_control; do
	[[ $(locks_on $file) -eq 1 ]] || fail "the lock on $file is gone: $(cat /proc/locks)"
done

say "a second server is kept out"
mkdir aria
limited "$deny" EPERM "$asyncring_run" -- mariadbd "${options[@]}" --aria-log-dir-path="$work/aria" \
	--socket="$socket-2" --pid-file="$work/pid-2"
[[ $status -ne 0 ]] || fail "two servers on one data directory"
grep -q 'Unable to lock ./ibdata1' errors || fail "the second server fails for another reason"
[[ $(locks_on ibdata1) -eq 1 ]] || fail "the lock on ibdata1 is gone"

# check_tables WHERE: every transaction that was committed is there, whole, in all tables, and none
# in part.
check_tables() {
	local writer last sums table rows numbers end right
	sql t -e 'check table t0, t1, t2, t3 extended' >checked
	[[ $(grep -c 'status.OK$' checked) -eq 4 ]] || fail "$1: $(cat checked)"
	for ((writer = 1; writer <= 8; writer++)); do
		last=$(tail -n 1 "committed-$writer")
		for table in 0 1 2 3; do
			# The answer to the last commit may not have come back before the end.
			sums=$(sql t -e "select count(*), count(distinct number), max(number) + 1,
				sum(v = repeat(char(65 + number % 26), 700 + number % 800))
				from t$table where writer = $writer")
			read -r rows numbers end right <<<"$sums"
			[[ $rows -eq $numbers && $rows -eq $end && $rows -eq $right ]] ||
				fail "$1: writer $writer, table $table: $sums"
			[[ $rows -gt $last ]] ||
				fail "$1: writer $writer, table $table: $rows rows, committed: $last"
		done
	done
	[[ $(sql t -e 'select count(*) from t0 left join t1 using (writer, number)
		left join t2 using (writer, number) left join t3 using (writer, number)
		where t1.id is null or t2.id is null or t3.id is null') -eq 0 ]] ||
		fail "$1: a transaction is there in part"
}
check_tables "after the first filling"

say "killed in the middle"
sql t -e "delete from t0; delete from t1; delete from t2; delete from t3"
rm committed-*
writers=()
for w in 1 2 3 4 5 6 7 8; do
	writer $w 100000 &
	writers+=($!)
done
busy() {
	local w
	for w in 1 2 3 4 5 6 7 8; do
		[[ $(tail -n 1 "committed-$w") -ge 100 ]] || return 1
	done
}
until_true busy
kill -KILL "$server"
wait "$server" || true
for pid in "${writers[@]}"; do
	wait "$pid" && fail "a writer has outlived the server"
done

say "ENOSYS: recovered"
server second.log "$deny" ENOSYS "$asyncring_run" --stats --
grep -q 'InnoDB: Starting crash recovery' second.log || fail "$(tail second.log)"
grep -q 'InnoDB: Using io_uring' second.log || fail "$(tail second.log)"
[[ $(locks_on ibdata1) -eq 1 ]] || fail "the lock on ibdata1 is gone"
check_tables "after recovery"
kill -TERM "$server"
ended "$server"
[[ $status -eq 0 ]] || fail "the server ended with $status: $(tail second.log)"
report=second.log was_served 100 READV WRITEV
! grep -E '\[ERROR\]' first.log second.log || fail "the servers complain"

say "and by a server that is not served"
server third.log
check_tables "without asyncring-run"
kill -TERM "$server"
ended "$server"
[[ $status -eq 0 ]] || fail "the server ended with $status: $(tail third.log)"
