/* SPDX-License-Identifier: MIT */
/*
 * Personalities. What is saved are the effective ids and the supplementary groups; what a worker
 * assumes are these, by the system calls themselves, which change the calling thread alone (libc's
 * functions of the same name change all threads).
 *
 * An application that has given up its privileges for good has given them up for its workers, too:
 * libc made them follow. Then assuming a personality with more rights is refused with -EPERM, where
 * the kernel, which keeps the credentials themselves, would go on. docs/compatibility.md says so.
 */
#include "credentials.h"

#include <grp.h>
#include <string.h>

#include "core.h"
#include "resources.h"

enum { GROUPS_MAX = 65536 };

struct credentials {
	uid_t uid; /* effective, as all of them */
	gid_t gid;
	int group_count;
	gid_t groups[];
};

static struct credentials *current_credentials(void)
{
	long count = sys(SYS_getgroups, 0, NULL);
	struct credentials *credentials;

	if (count < 0 || count > GROUPS_MAX)
		return NULL;
	credentials = asyncring__alloc(sizeof(*credentials) + (size_t)count * sizeof(gid_t));
	if (!credentials)
		return NULL;
	credentials->uid = (uid_t)sys(SYS_geteuid);
	credentials->gid = (gid_t)sys(SYS_getegid);
	credentials->group_count = (int)sys(SYS_getgroups, count, credentials->groups);
	return credentials;
}

/* The calling thread's effective ids and groups become @credentials'. */
static int become(const struct credentials *credentials)
{
	const long keep = -1;
	int error;

	if (sys(SYS_geteuid) != credentials->uid)
		/* To root first, if it can be had: only root may change its groups. */
		sys(SYS_setresuid, keep, 0, keep);
	error = (int)sys(SYS_setgroups, credentials->group_count, credentials->groups);
	if (!error)
		error = (int)sys(SYS_setresgid, keep, credentials->gid, keep);
	if (!error)
		error = (int)sys(SYS_setresuid, keep, credentials->uid, keep);
	return error;
}

static bool same(const struct credentials *a, const struct credentials *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->group_count == b->group_count &&
	       !memcmp(a->groups, b->groups, (size_t)a->group_count * sizeof(gid_t));
}

/* What the worker was before it became somebody else; only its own thread's. */
static __thread struct credentials *before;

int asyncring__personality_assume(struct ring *ring, unsigned personality)
{
	struct credentials *own = current_credentials();
	int error = -EINVAL;

	if (!own)
		return -ENOMEM;
	ring_lock(ring);
	if (ring->personalities[personality - 1]) {
		error = 0;
		if (!same(own, ring->personalities[personality - 1])) {
			before = own;
			error = become(ring->personalities[personality - 1]);
		}
	}
	ring_unlock(ring);
	if (before != own)
		asyncring__free(own);
	if (error)
		asyncring__personality_drop();
	return error;
}

void asyncring__personality_drop(void)
{
	if (!before)
		return;
	become(before);
	asyncring__free(before);
	before = NULL;
}

int asyncring__personality_register(struct ring *ring)
{
	struct credentials *credentials = current_credentials();

	if (!credentials)
		return -ENOMEM;
	/* Numbers go round, so that one just given up does not soon mean somebody else. */
	for (unsigned i = 0; i < PERSONALITIES_MAX; i++) {
		unsigned index = (ring->next_personality + i) % PERSONALITIES_MAX;

		if (ring->personalities[index])
			continue;
		ring->personalities[index] = credentials;
		ring->next_personality = index + 1;
		return (int)index + 1;
	}
	asyncring__free(credentials);
	return -ENOMEM;
}

int asyncring__personality_unregister(struct ring *ring, unsigned id)
{
	if (!id || id > PERSONALITIES_MAX || !ring->personalities[id - 1])
		return -EINVAL;
	asyncring__free(ring->personalities[id - 1]);
	ring->personalities[id - 1] = NULL;
	return 0;
}
