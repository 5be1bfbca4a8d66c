/* SPDX-License-Identifier: MIT */
/*
 * Asking what there is: the operations a ring knows, and the library's version. See user.h for
 * what this side may touch. The functions keep no state and may be called by any thread.
 */
#include <stdlib.h>

#include "user.h"

/* As many as the 8-bit opcode of an entry can name. */
#define PROBE_OPS 256

int asyncring_register_probe(struct asyncring *ring, struct asyncring_probe *p, unsigned nr)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_PROBE, p, nr);
}

struct asyncring_probe *asyncring_get_probe_ring(struct asyncring *ring)
{
	struct asyncring_probe *probe;

	probe = calloc(1, sizeof(*probe) + PROBE_OPS * sizeof(probe->ops[0]));
	if (!probe)
		return NULL;
	if (asyncring_register_probe(ring, probe, PROBE_OPS) < 0) {
		free(probe);
		return NULL;
	}
	return probe;
}

struct asyncring_probe *asyncring_get_probe(void)
{
	struct asyncring_probe *probe;
	struct asyncring ring;

	if (asyncring_queue_init(2, &ring, 0) < 0)
		return NULL;
	probe = asyncring_get_probe_ring(&ring);
	asyncring_queue_exit(&ring);
	return probe;
}

void asyncring_free_probe(struct asyncring_probe *probe)
{
	free(probe);
}

int asyncring_major_version(void)
{
	return ASYNCRING_VERSION_MAJOR;
}

int asyncring_minor_version(void)
{
	return ASYNCRING_VERSION_MINOR;
}

bool asyncring_check_version(int major, int minor)
{
	return major > ASYNCRING_VERSION_MAJOR ||
	       (major == ASYNCRING_VERSION_MAJOR && minor > ASYNCRING_VERSION_MINOR);
}
