/* SPDX-License-Identifier: MIT */
/*
 * Personalities. What is saved is what decides about access to files: user and group id for file
 * systems (fsuid, fsgid: the effective ids, unless the thread has set others) and the supplementary
 * groups. A worker assumes them by the system calls themselves, which change the calling thread
 * alone.
 *
 * The effective ids stay the process's, for a reason: libc's seteuid() and its kin make every
 * thread of the process follow, workers included, by a signal, and abort the process if one of them
 * is not allowed what the others are. So at any moment of a request a worker may be told new ids,
 * and its own right to change ids must be that of the process. This also says how to come back: the
 * ids for file systems become the effective ones as they are then. Groups are put back unless they
 * are no longer those of the personality, that is, unless the process was given others meanwhile.
 *
 * Whatever an application has given up for good its workers have lost, too: a personality with more
 * rights is then refused with -EPERM, where the kernel, which keeps the credentials themselves,
 * would go on. Nor do capabilities that are not about files come with a personality.
 * docs/compatibility.md says so.
 */
#include "credentials.h"

#include <stdatomic.h>
#include <string.h>

#include "core.h"
#include "resources.h"

struct credentials {
	/* The table's and the requests'. Taken under submit_lock, put by any thread. */
	_Atomic uint32_t references;
	/* Constant. */
	uid_t uid; /* for file systems, both */
	gid_t gid;
	unsigned group_count;
	/*
	 * A mark, then group_count groups as the kernel tells them. A worker takes all of these:
	 * one group twice makes no difference to its rights, but tells the list from an equal one
	 * of the process.
	 */
	gid_t groups[];
};

/* What a worker needs to come back from a personality. */
struct disguise {
	const struct credentials *credentials; /* those it acts with */
	bool regrouped;
	unsigned group_count;
	gid_t groups[]; /* group_count of its own, then room for those it has later */
};

/* ---- the system calls; all are about the calling thread ---- */

static uid_t file_uid(void)
{
	/* An id that there is not: nothing changes, and the present one is the answer. */
	return (uid_t)sys(SYS_setfsuid, -1);
}

static gid_t file_gid(void)
{
	return (gid_t)sys(SYS_setfsgid, -1);
}

static int set_file_uid(uid_t uid)
{
	sys(SYS_setfsuid, uid);
	return file_uid() == uid ? 0 : -EPERM;
}

static int set_file_gid(gid_t gid)
{
	sys(SYS_setfsgid, gid);
	return file_gid() == gid ? 0 : -EPERM;
}

/* Only root may choose its groups: an application that can be root again is, for this moment. */
static int set_groups(unsigned count, const gid_t *groups)
{
	const long keep = -1, user = sys(SYS_geteuid);
	int error = (int)sys(SYS_setgroups, count, groups);

	if (error != -EPERM || sys(SYS_setresuid, keep, 0, keep))
		return error;
	error = (int)sys(SYS_setgroups, count, groups);
	sys(SYS_setresuid, keep, user, keep);
	return error;
}

static bool has_groups(unsigned count, const gid_t *groups, gid_t *room)
{
	return sys(SYS_getgroups, count, room) == (long)count &&
	       sys(SYS_getgroups, 0, NULL) == (long)count &&
	       !memcmp(room, groups, count * sizeof(groups[0]));
}

/*
 * While a thread changes its credentials no signal may come between, least of all libc's own that
 * changes them, which its sigprocmask() does not block.
 */
static void block_signals(uint64_t *saved)
{
	const uint64_t all = ~UINT64_C(0);

	sys(SYS_rt_sigprocmask, SIG_BLOCK, &all, saved, sizeof(all));
}

static void unblock_signals(const uint64_t *saved)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, saved, NULL, sizeof(*saved));
}

/* ---- a worker's disguise ---- */

static struct disguise *prepare(const struct credentials *credentials)
{
	long count = sys(SYS_getgroups, 0, NULL);
	struct disguise *disguise;
	size_t room;

	if (count < 0)
		return NULL;
	room = (size_t)count + credentials->group_count + 1;
	disguise = asyncring__alloc(sizeof(*disguise) + room * sizeof(gid_t));
	if (!disguise)
		return NULL;
	disguise->credentials = credentials;
	disguise->group_count = (unsigned)count;
	sys(SYS_getgroups, count, disguise->groups);
	return disguise;
}

static int put_on(struct disguise *disguise)
{
	const struct credentials *credentials = disguise->credentials;
	unsigned count = credentials->group_count;
	int error = 0;

	disguise->regrouped =
		count != disguise->group_count ||
		memcmp(credentials->groups + 1, disguise->groups, count * sizeof(gid_t)) != 0;
	if (disguise->regrouped)
		error = set_groups(count + 1, credentials->groups);
	if (error)
		disguise->regrouped = false;
	if (!error)
		error = set_file_gid(credentials->gid);
	if (!error)
		error = set_file_uid(credentials->uid);
	return error;
}

static void take_off(struct disguise *disguise)
{
	const struct credentials *credentials = disguise->credentials;
	gid_t *room = disguise->groups + disguise->group_count;

	if (disguise->regrouped &&
	    has_groups(credentials->group_count + 1, credentials->groups, room))
		set_groups(disguise->group_count, disguise->groups);
	set_file_gid((gid_t)sys(SYS_getegid));
	set_file_uid((uid_t)sys(SYS_geteuid));
}

int asyncring__credentials_assume(const struct credentials *credentials, struct disguise **disguise)
{
	int error = -ENOMEM;
	uint64_t mask;

	block_signals(&mask);
	*disguise = prepare(credentials);
	if (*disguise)
		error = put_on(*disguise);
	if (*disguise && error) {
		take_off(*disguise);
		asyncring__free(*disguise);
	}
	unblock_signals(&mask);
	return error;
}

void asyncring__credentials_drop(struct disguise *disguise)
{
	uint64_t mask;

	block_signals(&mask);
	take_off(disguise);
	unblock_signals(&mask);
	asyncring__free(disguise);
}

/* ---- registration ---- */

static struct credentials *current_credentials(void)
{
	long count = sys(SYS_getgroups, 0, NULL);
	struct credentials *credentials;

	if (count < 0)
		return NULL;
	credentials = asyncring__alloc(sizeof(*credentials) + ((size_t)count + 1) * sizeof(gid_t));
	if (!credentials)
		return NULL;
	atomic_store_explicit(&credentials->references, 1, memory_order_relaxed);
	credentials->uid = file_uid();
	credentials->gid = file_gid();
	credentials->group_count = (unsigned)sys(SYS_getgroups, count, credentials->groups + 1);
	credentials->groups[0] = count ? credentials->groups[1] : credentials->gid;
	return credentials;
}

struct credentials *asyncring__credentials_get(struct ring *ring, unsigned id)
{
	struct credentials *credentials;

	if (!id || id > PERSONALITIES_MAX)
		return NULL;
	credentials = ring->personalities[id - 1];
	if (credentials)
		/* Relaxed: the table's reference keeps them. */
		atomic_fetch_add_explicit(&credentials->references, 1, memory_order_relaxed);
	return credentials;
}

void asyncring__credentials_put(struct credentials *credentials)
{
	/* Acquire-release: freed after everything the other holders did with them. */
	if (atomic_fetch_sub_explicit(&credentials->references, 1, memory_order_acq_rel) == 1)
		asyncring__free(credentials);
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
	asyncring__credentials_put(credentials);
	return -EBUSY;
}

int asyncring__personality_unregister(struct ring *ring, unsigned id)
{
	if (!id || id > PERSONALITIES_MAX || !ring->personalities[id - 1])
		return -EINVAL;
	asyncring__credentials_put(ring->personalities[id - 1]);
	ring->personalities[id - 1] = NULL;
	return 0;
}
