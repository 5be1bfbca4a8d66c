/* SPDX-License-Identifier: MIT */
/*
 * Description: our <liburing.h> in C++. Functions that take liburing's structures have the names
 * that the compiler gives them in files which only declare these structures, so that such files
 * can be linked with one another.
 */
struct io_uring;
struct io_uring_sqe;

static const char *overloaded(io_uring *)
{
	return "io_uring";
}

static const char *overloaded(io_uring_sqe *)
{
	return "io_uring_sqe";
}

#include <asyncring/compat/liburing.h>
#include <linux/io_uring.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string>
#include <typeinfo>

extern "C" {
#include <cmocka.h>
}

static void test_type_names(void **)
{
	io_uring ring = {};
	io_uring_sqe sqe = {};

	assert_string_equal(overloaded(&ring), "io_uring");
	assert_string_equal(overloaded(&sqe), "io_uring_sqe");
	assert_string_equal(typeid(io_uring_cqe).name(), "12io_uring_cqe");
	assert_string_equal(typeid(io_uring_params).name(), "15io_uring_params");
}

/* The enumerators belong to the enumeration of liburing's name. */
static void test_enumerations(void **)
{
	io_uring_op op = IORING_OP_WRITE;
	io_uring_sqe sqe = {};

	io_uring_prep_write(&sqe, 1, "text", 4, 0);
	assert_int_equal(sqe.opcode, op);
}

/* Words that programs print and compare have the types that liburing gives them. */
static void test_types(void **)
{
	io_uring_cqe cqe = {};

	assert_true(typeid(cqe.user_data) == typeid(__u64));
	assert_true(typeid(cqe.res) == typeid(__s32));
	assert_true(typeid(io_uring_cqe_get_data64(&cqe)) == typeid(unsigned long long));
}

static void test_loop_over_nothing(void **)
{
	unsigned zero = 0, head, count = 0;
	io_uring ring = {};
	io_uring_cqe *cqe;

	ring.cq.khead = ring.cq.ktail = ring.sq.kflags = &zero;
	io_uring_for_each_cqe (&ring, head, cqe)
		count++;
	assert_int_equal(count, 0);
	assert_int_equal(IO_URING_READ_ONCE(*ring.cq.ktail), 0);
}

int main()
{
	const CMUnitTest tests[] = {
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_enumerations),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_loop_over_nothing),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
