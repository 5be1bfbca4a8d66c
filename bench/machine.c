/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The value after the colon of the first line that begins with the key. */
static void processor_name(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, "model name", strlen("model name")) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", colon + 2);
		break;
	}
	if (file)
		fclose(file);
}

/* The type that /proc/self/mountinfo gives for the directory's device. */
static void filesystem_type(char *name, size_t size, const char *directory)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], type[64];
	unsigned device_major, device_minor;
	struct stat status;

	snprintf(name, size, "unknown");
	while (file && stat(directory, &status) == 0 && fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*d %*d %u:%u", &device_major, &device_minor) != 2)
			continue;
		if (makedev(device_major, device_minor) != status.st_dev)
			continue;
		if (sscanf(rest, " - %63s", type) == 1)
			snprintf(name, size, "%s", type);
	}
	if (file)
		fclose(file);
}

static double system_call_cost(void)
{
	const int count = 200000;
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < count; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       count;
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

void bench_machine_usage(struct machine_usage *usage)
{
	/* In the order of /proc/stat; what follows is contained in these. */
	enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
	double ticks = (double)sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "re");
	unsigned long long value;
	struct rusage children;

	*usage = (struct machine_usage){0};
	if (file && fscanf(file, "cpu") == 0) {
		for (int i = 0; i < FIELDS && fscanf(file, "%llu", &value) == 1; i++) {
			usage->elapsed += (double)value / ticks;
			if (i != IDLE && i != IOWAIT)
				usage->busy += (double)value / ticks;
		}
	}
	if (file)
		fclose(file);
	getrusage(RUSAGE_CHILDREN, &children);
	usage->children = seconds(&children.ru_utime) + seconds(&children.ru_stime);
}

void bench_machine_describe(struct machine *machine, const char *directory)
{
	time_t now = time(NULL);
	struct utsname system;
	struct tm parts;

	gmtime_r(&now, &parts);
	strftime(machine->date, sizeof(machine->date), "%Y-%m-%dT%H:%M:%SZ", &parts);
	uname(&system);
	snprintf(machine->kernel, sizeof(machine->kernel), "%s %s", system.sysname, system.release);
	snprintf(machine->architecture, sizeof(machine->architecture), "%s", system.machine);
	processor_name(machine->processor, sizeof(machine->processor));
	filesystem_type(machine->filesystem, sizeof(machine->filesystem), directory);
#ifdef __clang__
	snprintf(machine->compiler, sizeof(machine->compiler), "clang %s", __clang_version__);
#else
	snprintf(machine->compiler, sizeof(machine->compiler), "gcc %s", __VERSION__);
#endif
	machine->processors = sysconf(_SC_NPROCESSORS_ONLN);
	machine->memory_mib = sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024;
	machine->system_call = system_call_cost();
	if (getloadavg(&machine->load, 1) != 1)
		machine->load = -1;
}
