/* SPDX-License-Identifier: MIT */
/*
 * Restrictions: what a ring may be used for, given once while it is disabled. SQEs are checked in
 * submit.c, register calls in register.c.
 */
#include <asyncring.h>

#include "core.h"
#include "resources.h"

enum { RESTRICTIONS_MAX = 128 };

static int add(struct restrictions *restrictions, const struct asyncring_restriction *entry)
{
	switch (entry->opcode) {
	case ASYNCRING_RESTRICTION_REGISTER_OP:
		if (entry->register_op >= ASYNCRING_REGISTER_LAST)
			return -EINVAL;
		restrictions->register_opcodes |= 1ull << entry->register_op;
		return 0;
	case ASYNCRING_RESTRICTION_SQE_OP:
		if (entry->sqe_op >= asyncring__op_count())
			return -EINVAL;
		restrictions->sqe_opcodes[entry->sqe_op >> 6] |= 1ull << (entry->sqe_op & 63);
		return 0;
	case ASYNCRING_RESTRICTION_SQE_FLAGS_ALLOWED:
		restrictions->sqe_flags_allowed = entry->sqe_flags;
		return 0;
	case ASYNCRING_RESTRICTION_SQE_FLAGS_REQUIRED:
		restrictions->sqe_flags_required = entry->sqe_flags;
		return 0;
	}
	return -EINVAL;
}

int asyncring__restrictions_register(struct ring *ring, uint64_t arg, unsigned count)
{
	struct restrictions restrictions = {.registered = true};

	/* Relaxed: written under submit_lock, which is held. */
	if (!atomic_load_explicit(&ring->disabled, memory_order_relaxed))
		return -EBADFD;
	if (ring->restrictions.registered)
		return -EBUSY;
	if (!arg || count > RESTRICTIONS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		struct asyncring_restriction entry;
		int error = asyncring__copy_in(&entry, arg + i * sizeof(entry), sizeof(entry));

		if (!error)
			error = add(&restrictions, &entry);
		if (error)
			return error;
	}
	ring->restrictions = restrictions;
	return 0;
}
