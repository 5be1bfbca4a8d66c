/* SPDX-License-Identifier: MIT */
/*
 * Description: the descriptors that keep a ring alive. A duplicate of a ring's descriptor that was
 * closed with plain close(2), of which the library is not told, does not keep the ring, nor does it
 * lend its number to what is opened under it afterwards. The ring is gone when its descriptors and
 * its threads are.
 */
#include "support.h"

static struct support_census census;

static int duplicate(const struct asyncring *ring)
{
	int copy = fcntl(ring->ring_fd, F_DUPFD_CLOEXEC, 0);

	assert_true(copy >= 0);
	/* Now the library knows it. */
	assert_int_equal(asyncring_enter((unsigned)copy, 0, 0, ASYNCRING_ENTER_GETEVENTS, NULL), 0);
	return copy;
}

static void make(struct asyncring *ring)
{
	census = support_census();
	assert_int_equal(asyncring_queue_init(4, ring, 0), 0);
}

static void a_dup_closed_unseen_does_not_keep_the_ring(void **state)
{
	struct asyncring ring;
	int copies[3];

	(void)state;
	make(&ring);
	for (int i = 0; i < 3; i++)
		copies[i] = duplicate(&ring);
	for (int i = 0; i < 3; i++)
		close(copies[i]);
	/* One of the numbers stands for something else. */
	assert_int_equal(dup2(0, copies[1]), copies[1]);
	assert_int_equal(asyncring_close(copies[1]), -EOPNOTSUPP);
	assert_int_equal(asyncring_close(ring.ring_fd), 0);
	assert_int_equal(fcntl(copies[1], F_GETFD), 0);
	close(copies[1]);
	assert_true(support_census_restored(&census));
}

static void the_first_name_closed_unseen_does_not_keep_the_ring(void **state)
{
	struct asyncring ring;
	int copy;

	(void)state;
	make(&ring);
	copy = duplicate(&ring);
	close(ring.ring_fd);
	assert_int_equal(asyncring_close(copy), 0);
	assert_true(support_census_restored(&census));
}

static void a_first_name_used_again_for_a_dup_is_a_dup(void **state)
{
	struct asyncring ring;
	int copy;

	(void)state;
	make(&ring);
	copy = duplicate(&ring);
	assert_int_equal(asyncring_close(ring.ring_fd), 0);
	assert_int_equal(dup2(copy, ring.ring_fd), ring.ring_fd);
	asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(support_run(&ring), 0);
	close(ring.ring_fd);
	assert_int_equal(asyncring_enter((unsigned)ring.ring_fd, 0, 0, 0, NULL), -EBADF);
	assert_int_equal(asyncring_close(copy), 0);
	assert_true(support_census_restored(&census));
}

static void a_ring_whose_last_name_was_closed_unseen_goes_later(void **state)
{
	struct asyncring ring, other;
	int copy;

	(void)state;
	make(&ring);
	copy = duplicate(&ring);
	assert_int_equal(asyncring_close(ring.ring_fd), 0);
	close(copy);
	assert_int_equal(asyncring_enter((unsigned)copy, 0, 0, 0, NULL), -EBADF);
	assert_int_equal(asyncring_queue_init(4, &other, 0), 0);
	assert_int_equal(support_descriptors(), census.descriptors + 2);
	asyncring_queue_exit(&other);
	assert_true(support_census_restored(&census));

	make(&ring);
	close(ring.ring_fd);
	assert_int_equal(asyncring_close(ring.ring_fd), -EBADF);
	assert_true(support_census_restored(&census));
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dup_closed_unseen_does_not_keep_the_ring),
		cmocka_unit_test(the_first_name_closed_unseen_does_not_keep_the_ring),
		cmocka_unit_test(a_first_name_used_again_for_a_dup_is_a_dup),
		cmocka_unit_test(a_ring_whose_last_name_was_closed_unseen_goes_later),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
