/* SPDX-License-Identifier: MIT */
/*
 * Does the kernel serve io_uring to this process, and if not, why? Asked by making a ring and
 * sending a NOP through it, in a child: there are filters that kill for it.
 */
#include <asyncring.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* One NOP through a ring of the kernel's: 0 or an errno. */
static int try_ring(void)
{
	struct asyncring_params p = {0};
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	size_t size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
	size_t sqes = p.sq_entries * sizeof(struct asyncring_sqe);
	char *ring;

	if (fd < 0)
		return errno;
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		    ASYNCRING_OFF_SQ_RING);
	if (ring == MAP_FAILED)
		return errno;
	/* A NOP is all zeros, and so is the place of the first in the array. */
	if (mmap(NULL, sqes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		 ASYNCRING_OFF_SQES) == MAP_FAILED)
		return errno;
	__atomic_store_n((unsigned *)(void *)(ring + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, ASYNCRING_ENTER_GETEVENTS, NULL, 0) != 1)
		return errno;
	return 0;
}

static volatile sig_atomic_t caught;

static void note_caught(int signal)
{
	(void)signal;
	caught = 1;
}

/*
 * Can calls be caught that a program makes with instructions of its own? 0 or an errno; or the
 * process dies of a filter that kills, which is stronger than one that catches.
 */
static int try_catch(void)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, SYS_io_uring_enter, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {.len = 4, .filter = text};
	const struct sigaction action = {.sa_handler = note_caught};
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) || sigprocmask(SIG_UNBLOCK, &ours, NULL) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		return errno;
	/* In a process that is served itself this never comes to the filter. */
	syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
	return caught || errno == EBADF ? 0 : EPERM;
}

/* What @attempt answers in a child: 0, a negative errno, or the signal that killed it. */
static int in_child(int (*attempt)(void))
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (!child)
		_exit(attempt());
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : WTERMSIG(status);
}

int check_kernel(void)
{
	return in_child(try_ring);
}

bool check_catch(void)
{
	return !in_child(try_catch);
}

/* ---- --check ---- */

/* The number that @name is followed by in /proc/self/status, or in a file of a number alone. */
static int read_number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int number = -1;

	while (file && number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			number = atoi(line + strlen(name));
	if (file)
		fclose(file);
	return number;
}

static void explain_permission(void)
{
	int disabled = read_number("/proc/sys/kernel/io_uring_disabled", "");
	int filters = read_number("/proc/self/status", "Seccomp:");

	if (disabled == 2)
		puts("  because kernel.io_uring_disabled is 2: off for everybody");
	else if (disabled == 1)
		puts("  because kernel.io_uring_disabled is 1: off but for the privileged and the "
		     "group\n  that kernel.io_uring_group names");
	if (filters == 2)
		puts("  a seccomp filter is set, as the default profiles of Docker, containerd and\n"
		     "  Podman are, which refuse io_uring");
	if (disabled <= 0 && filters != 2)
		puts("  for a reason that is not to be seen from here: a security module, perhaps");
}

static void explain(int answer)
{
	struct utsname system;

	if (answer > 0) {
		printf("  the process that tried was killed by signal %d (%s): a seccomp filter "
		       "that kills\n",
		       answer, strsignal(answer));
		return;
	}
	switch (-answer) {
	case EPERM:
	case EACCES:
		explain_permission();
		break;
	case ENOSYS:
		if (read_number("/proc/self/status", "Seccomp:") == 2)
			puts("  a seccomp filter is set, and may answer for the kernel");
		if (!uname(&system))
			printf("  the kernel is %s %s: io_uring came with Linux 5.1 and may be left "
			       "out\n",
			       system.sysname, system.release);
		break;
	case ENOMEM:
		puts("  old kernels count rings as locked memory: look at `ulimit -l`");
		break;
	default:
		break;
	}
}

static unsigned operations_served(void)
{
	struct asyncring_probe *probe = asyncring_get_probe();
	unsigned count = 0;

	if (!probe)
		return 0;
	for (unsigned i = 0; i < probe->ops_len; i++)
		count += !!(probe->ops[i].flags & ASYNCRING_OP_SUPPORTED);
	asyncring_free_probe(probe);
	return count;
}

int check_print(const char *library)
{
	int kernel = in_child(try_ring), filter = in_child(try_catch);

	if (!kernel)
		puts("io_uring works here: asyncring-run lets the kernel serve.");
	else
		printf("io_uring does not work here: %s\n",
		       kernel > 0 ? "forbidden" : strerror(-kernel));
	explain(kernel);
	printf("\nIn user space %u operations of io_uring would be served, by\n  %s\n",
	       operations_served(), library);
	if (!filter) {
		puts("  Programs that make the system calls themselves would be served as well.");
		return 0;
	}
	printf("  Programs that make the system calls with instructions of their own would not be:\n"
	       "  a seccomp filter that catches them %s (%s).\n",
	       filter > 0 ? "is overruled by one that kills" : "cannot be set",
	       filter > 0 ? strsignal(filter) : strerror(-filter));
	return 1;
}
