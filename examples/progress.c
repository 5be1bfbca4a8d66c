/* SPDX-License-Identifier: MIT */
/*
 * progress: the bar. Small files cost more than their bytes say, so that the share that is done,
 * and with it the time left, counts each file as if it had some bytes more. The rate is that of the
 * last seconds, each older one weighing less.
 */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS	0.1
#define SMOOTH_SECONDS	2.0
#define BYTES_PER_FILE	16384.0 /* opening and closing a file takes as long as copying so much */
#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN	10
#define COLUMNS_MAX	256
#define BAR_MIN		10

static struct {
	bool open;
	bool drawn;    /* the bar is on the screen */
	bool counting; /* the totals are not known yet */
	unsigned long files, files_total;
	unsigned long long bytes, bytes_total;
	double drawn_at; /* seconds on the monotonic clock */
	double rate;	 /* bytes per second */
	double work_rate;
	double measured_at; /* when the rates were last brought up to date, with what was done then
			     */
	unsigned long long measured_bytes;
	double measured_work;
} bar;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void progress_open(void)
{
	bar.open = true;
	bar.counting = true;
}

void progress_totals(unsigned long files, unsigned long long bytes)
{
	bar.counting = false;
	bar.files_total = files;
	bar.bytes_total = bytes;
	bar.measured_at = now();
}

void progress_bytes(size_t bytes)
{
	bar.bytes += bytes;
}

void progress_file(void)
{
	bar.files++;
}

static double work(double files, double bytes)
{
	return bytes + files * BYTES_PER_FILE;
}

/* Moves both rates towards what has been done since the last time. */
static void measure(double time)
{
	double passed = time - bar.measured_at;
	double done = work((double)bar.files, (double)bar.bytes);
	double rate, work_rate, weight;

	if (passed <= 0)
		return;
	rate = (double)(bar.bytes - bar.measured_bytes) / passed;
	work_rate = (done - bar.measured_work) / passed;
	weight = bar.rate > 0 ? passed / (passed + SMOOTH_SECONDS) : 1;
	bar.rate += (rate - bar.rate) * weight;
	bar.work_rate += (work_rate - bar.work_rate) * weight;
	bar.measured_at = time;
	bar.measured_bytes = bar.bytes;
	bar.measured_work = done;
}

/* A number of bytes in three digits and a unit. */
static const char *readable(double bytes, char *text, size_t size)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;

	while (bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1000;
		unit++;
	}
	snprintf(text, size, unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return text;
}

static const char *time_left(double left, char *text, size_t size)
{
	unsigned long seconds;

	if (bar.work_rate < 1 || left / bar.work_rate > 100 * 3600) {
		snprintf(text, size, "-:-- left");
		return text;
	}
	seconds = (unsigned long)(left / bar.work_rate + 0.5);
	if (seconds >= 3600)
		snprintf(text, size, "%lu:%02lu:%02lu left", seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	else
		snprintf(text, size, "%lu:%02lu left", seconds / 60, seconds % 60);
	return text;
}

static size_t columns(void)
{
	struct winsize window;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0 || window.ws_col < COLUMNS_MIN)
		return COLUMNS_DEFAULT; /* it does not know its size */
	return window.ws_col < COLUMNS_MAX ? window.ws_col : COLUMNS_MAX;
}

/*
 * Writes LINE over what is there. One column stays free: a terminal whose last column is written to
 * may move on to the next line.
 */
static void show(const char *line)
{
	fprintf(stderr, "\r%.*s\033[K", (int)columns() - 1, line);
	fflush(stderr);
	bar.drawn = true;
}

/* Writes as many of the numbers as there is room for in WIDTH columns; returns their length. */
static size_t numbers(char *line, size_t size, size_t width, double left)
{
	char done[16], total[16], rate[16], time[32];
	size_t used = 0;

	readable((double)bar.bytes, done, sizeof(done));
	readable((double)bar.bytes_total, total, sizeof(total));
	readable(bar.rate, rate, sizeof(rate));
	time_left(left > 0 ? left : 0, time, sizeof(time));
	for (int detail = 3; detail >= 0; detail--) {
		used = (size_t)snprintf(line, size, "%s of %s", done, total);
		if (detail >= 3)
			used += (size_t)snprintf(line + used, size - used, ", %lu of %lu files",
						 bar.files, bar.files_total);
		if (detail >= 2)
			used += (size_t)snprintf(line + used, size - used, ", %s/s", rate);
		if (detail >= 1)
			used += (size_t)snprintf(line + used, size - used, ", %s", time);
		if (used <= width)
			break;
	}
	return used;
}

/* The bar proper fills the columns that the numbers leave; in a narrow window it is left out. */
static void draw(void)
{
	double done = work((double)bar.files, (double)bar.bytes);
	double total = work((double)bar.files_total, (double)bar.bytes_total);
	double share = total > 0 && done < total ? done / total : 1;
	char text[160], cells[COLUMNS_MAX + 1],
		line[sizeof("100% [] ") + COLUMNS_MAX + sizeof(text)];
	size_t room = columns() - sizeof("100% "), used, width, full;

	used = numbers(text, sizeof(text), room, total - done);
	width = room > used + sizeof("[] ") + BAR_MIN ? room - used - sizeof("[] ") : 0;
	full = (size_t)((double)width * share);
	memset(cells, '#', full);
	memset(cells + full, '.', width - full);
	cells[width] = '\0';
	if (width)
		snprintf(line, sizeof(line), "%3.0f%% [%s] %s", share * 100, cells, text);
	else
		snprintf(line, sizeof(line), "%3.0f%% %s", share * 100, text);
	show(line);
}

static bool due(double time)
{
	if (!bar.open || time - bar.drawn_at < REDRAW_SECONDS)
		return false;
	bar.drawn_at = time;
	return true;
}

void progress_counting(unsigned long files)
{
	char line[64];

	if (!due(now()))
		return;
	snprintf(line, sizeof(line), "%lu files found", files);
	show(line);
}

void progress_draw(void)
{
	double time;

	if (!bar.open || bar.counting)
		return;
	time = now();
	if (due(time)) {
		measure(time);
		draw();
	}
}

void progress_clear(void)
{
	if (bar.drawn) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	bar.drawn = false;
	bar.drawn_at = 0; /* and back with it as soon as there is something to say */
}

void progress_close(void)
{
	progress_clear();
	bar.open = false;
}
