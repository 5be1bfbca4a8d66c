/* SPDX-License-Identifier: MIT */
/*
 * Restrictions: what a ring may be used for, given once while it is disabled. SQEs are checked when
 * submit.c has taken them, register calls in register.c.
 */
#include <asyncring.h>

#include "core.h"
#include "resources.h"

/* As many as there can be different ones. */
enum {
	RESTRICTIONS_MAX = ASYNCRING_RESTRICTION_LAST + ASYNCRING_REGISTER_LAST + ASYNCRING_OP_LAST,
};

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
	struct asyncring_restriction entries[RESTRICTIONS_MAX];
	struct restrictions restrictions = {.registered = true};
	int error;

	/* Relaxed: written under submit_lock, which is held. */
	if (!atomic_load_explicit(&ring->disabled, memory_order_relaxed))
		return -EBADFD;
	if (ring->restrictions.registered)
		return -EBUSY;
	if (!arg || count > RESTRICTIONS_MAX)
		return -EINVAL;
	error = asyncring__copy_in(entries, arg, count * sizeof(entries[0]));
	for (unsigned i = 0; i < count && !error; i++)
		error = add(&restrictions, &entries[i]);
	if (!error)
		ring->restrictions = restrictions;
	return error;
}

bool asyncring__restrictions_allow(const struct restrictions *restrictions,
				   const struct request *request)
{
	uint8_t flags = (uint8_t)request->flags;

	if (!(restrictions->sqe_opcodes[request->opcode >> 6] & (1ull << (request->opcode & 63))))
		return false;
	if ((flags & restrictions->sqe_flags_required) != restrictions->sqe_flags_required)
		return false;
	return !(flags & ~(restrictions->sqe_flags_allowed | restrictions->sqe_flags_required));
}
