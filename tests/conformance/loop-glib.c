/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring in GLib's main loop, beside a timeout of that loop.
 */
#include "foreign_loop.h"

#include <glib-unix.h>

struct glib_loop {
	GMainLoop *loop;
	struct foreign foreign;
};

static gboolean readable(gint fd, GIOCondition condition, gpointer data)
{
	struct glib_loop *loop = data;

	(void)fd;
	assert_true(condition & G_IO_IN);
	foreign_ready(&loop->foreign);
	if (!foreign_done(&loop->foreign))
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(loop->loop);
	return G_SOURCE_REMOVE;
}

static gboolean tick(gpointer data)
{
	struct glib_loop *loop = data;

	foreign_tick(&loop->foreign);
	return G_SOURCE_CONTINUE;
}

static void glib_loop(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(foreign_modes); i++) {
		struct glib_loop loop;
		guint timeout;

		foreign_begin(&loop.foreign, &foreign_modes[i]);
		loop.loop = g_main_loop_new(NULL, FALSE);
		g_unix_fd_add(foreign_fd(&loop.foreign), G_IO_IN, readable, &loop);
		timeout = g_timeout_add(FOREIGN_TICK_MS, tick, &loop);
		g_main_loop_run(loop.loop);
		g_source_remove(timeout);
		g_main_loop_unref(loop.loop);
		foreign_end(&loop.foreign);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glib_loop),
	};

	return harness_run(tests);
}
