/* SPDX-License-Identifier: MIT */
/*
 * deny ERROR COMMAND [ARGUMENT...]: runs a command as it would run in a container that forbids
 * io_uring. The three system calls answer with the errno ERROR, EPERM as under the default profile
 * of Docker or ENOSYS as of a kernel that lacks them; or, with KILL, they end the process.
 *
 * One thread, which becomes the command; the filter is inherited by all that it starts.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#else
#error "a filter has to know how system calls are numbered"
#endif

enum { WRONG_USE = 125, CANNOT_RUN = 126 };

static const struct {
	const char *name;
	uint32_t answer;
} answers[] = {
	{"EPERM", SECCOMP_RET_ERRNO | EPERM},
	{"ENOSYS", SECCOMP_RET_ERRNO | ENOSYS},
	{"KILL", SECCOMP_RET_KILL_PROCESS},
};

/* True and the filter's answer, or false if there is none of that name. */
static int find_answer(const char *name, uint32_t *answer)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!strcmp(answers[i].name, name)) {
			*answer = answers[i].answer;
			return 1;
		}
	return 0;
}

static int install_filter(uint32_t answer)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, AUDIT_ARCH_OURS, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_K | BPF_JGE, SYS_io_uring_setup, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_K | BPF_JGT, SYS_io_uring_register, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, answer),
	};
	const struct sock_fprog filter = {
		.len = sizeof(text) / sizeof(text[0]),
		.filter = text,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

int main(int argc, char **argv)
{
	uint32_t answer;

	if (argc < 3 || !find_answer(argv[1], &answer)) {
		fputs("usage: deny EPERM|ENOSYS|KILL COMMAND [ARGUMENT...]\n", stderr);
		return WRONG_USE;
	}
	if (install_filter(answer)) {
		fprintf(stderr, "deny: %s\n", strerror(errno));
		return WRONG_USE;
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "deny: %s: %s\n", argv[2], strerror(errno));
	return errno == ENOENT ? 127 : CANNOT_RUN;
}
