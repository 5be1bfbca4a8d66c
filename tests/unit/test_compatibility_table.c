/* SPDX-License-Identifier: MIT */
/*
 * Description: docs/compatibility.md tells the truth. Every name that abi.h gives to an operation,
 * a register call or a flag has its row; what a row says is served is served, what it says is
 * refused is refused with that errno.
 *
 * Names and numbers are read from the header's text, so that none can be forgotten here.
 */
#include "support.h"

#include <ctype.h>
#include <poll.h>

enum { NAMES_MAX = 512, NAME_LENGTH = 64, TEXT_MAX = 256 * 1024 };

/* A constant of abi.h, without ASYNCRING_ in front. */
struct constant {
	char name[NAME_LENGTH];
	unsigned value;
};

enum state { WORKS, DIFFERS, REFUSED, ABSENT };

/* A row of a table in the document. */
struct row {
	char name[NAME_LENGTH];
	enum state state;
	int error; /* with REFUSED */
};

static struct constant constants[NAMES_MAX];
static unsigned constant_count;
static struct row rows[NAMES_MAX];
static unsigned row_count;

/* ---- reading ---- */

/* A file of the source tree. */
static char *read_source(const char *name)
{
	char *text = calloc(1, TEXT_MAX), path[1024];
	FILE *file;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s", SOURCE_DIR, name);
	file = fopen(path, "r");
	if (!file)
		print_error("%s cannot be read\n", path);
	assert_non_null(file);
	assert_true(fread(text, 1, TEXT_MAX - 1, file) > 0);
	assert_true(feof(file));
	fclose(file);
	return text;
}

/* The next line of *@text without its end, NULL after the last one. */
static char *next_line(char **text)
{
	char *line = *text, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	*text = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return line;
}

static const struct constant *find_constant(const char *name)
{
	for (unsigned i = 0; i < constant_count; i++)
		if (!strcmp(constants[i].name, name))
			return &constants[i];
	return NULL;
}

static const struct row *find_row(const char *name)
{
	for (unsigned i = 0; i < row_count; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static void add_constant(const char *name, unsigned value)
{
	assert_true(constant_count < NAMES_MAX);
	strcpy(constants[constant_count].name, name);
	constants[constant_count++].value = value;
}

/* What follows a name: a number, a bit, or a bit whose number has a name. */
static bool parse_value(const char *text, unsigned *value)
{
	char name[NAME_LENGTH];
	unsigned shift;

	text += strspn(text, " \t=(");
	if (sscanf(text, "1U << ASYNCRING_%63[A-Z0-9_]", name) == 1 ||
	    sscanf(text, "__u32)1 << ASYNCRING_%63[A-Z0-9_]", name) == 1) {
		assert_non_null(find_constant(name));
		*value = 1u << find_constant(name)->value;
		return true;
	}
	if (sscanf(text, "1U << %u", &shift) == 1) {
		*value = 1u << shift;
		return true;
	}
	return sscanf(text, "%u", value) == 1;
}

/* "#define NAME (1U << 3)", "NAME," or "NAME = 3," within an enum. */
static void read_header(void)
{
	char *all = read_source("include/asyncring/abi.h"), *text = all, *line;
	unsigned next = 0, value;

	while ((line = next_line(&text))) {
		char name[NAME_LENGTH];
		int end = 0;

		if (!strncmp(line, "enum ", 5))
			next = 0;
		if (sscanf(line, "#define ASYNCRING_%63[A-Z0-9_]%n", name, &end) == 1) {
			if (parse_value(line + end, &value))
				add_constant(name, value);
		} else if (line[0] == '\t' &&
			   sscanf(line, "\tASYNCRING_%63[A-Z0-9_]%n", name, &end) == 1) {
			if (line[end] == ' ' && line[end + 1] == '=')
				parse_value(line + end, &next);
			add_constant(name, next++);
		}
	}
	free(all);
}

static int parse_error(const char *text)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {{"-EINVAL", -EINVAL}, {"-ENOBUFS", -ENOBUFS}, {"-EOPNOTSUPP", -EOPNOTSUPP}};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(text, errors[i].name))
			return errors[i].error;
	return 0;
}

/* False if it is no state. */
static bool parse_state(const char *text, struct row *row)
{
	row->error = 0;
	if (!strcmp(text, "works"))
		row->state = WORKS;
	else if (!strcmp(text, "differs"))
		row->state = DIFFERS;
	else if (!strcmp(text, "not set") || !strcmp(text, "never set"))
		row->state = ABSENT;
	else if (!strncmp(text, "refused, ", 9)) {
		row->state = REFUSED;
		row->error = parse_error(text + 9);
		return row->error != 0;
	} else
		return false;
	return true;
}

/* "| `NAME` | state | remarks |" */
static void read_document(void)
{
	char *all = read_source("docs/compatibility.md"), *text = all, *line;

	while ((line = next_line(&text))) {
		struct row row;
		char state[64];

		if (sscanf(line, "| `%63[A-Z0-9_]` | %63[^|]|", row.name, state) != 2)
			continue;
		state[strcspn(state, "|")] = '\0';
		for (size_t end = strlen(state); end && isspace((unsigned char)state[end - 1]);)
			state[--end] = '\0';
		if (!parse_state(state, &row))
			print_error("%s: \"%s\" is no state\n", row.name, state);
		assert_true(parse_state(state, &row));
		if (find_row(row.name))
			print_error("%s has two rows\n", row.name);
		assert_null(find_row(row.name));
		assert_true(row_count < NAMES_MAX);
		rows[row_count++] = row;
	}
	free(all);
}

static int read_both(void **state)
{
	(void)state;
	support_bound(60);
	read_header();
	read_document();
	return 0;
}

/* ---- which rows there have to be ---- */

static bool begins(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool ends(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length >= tail && !strcmp(name + length - tail, suffix);
}

/* Register calls are told from flags of such calls by not being in this list. */
static bool register_call(const char *name)
{
	static const char *const flags[] = {"REGISTER_USE_REGISTERED_RING", "REGISTER_FILES_SKIP",
					    "REGISTER_SRC_REGISTERED", "REGISTER_DST_REPLACE"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcmp(name, flags[i]))
			return false;
	return begins(name, "REGISTER_") || begins(name, "UNREGISTER_");
}

static bool needs_row(const char *name)
{
	static const char *const families[] = {
		"OP_",	    "SQE_",	 "SETUP_",	  "FEAT_",     "ENTER_", "CQE_F_",
		"SQ_",	    "CQ_",	 "ASYNC_CANCEL_", "NOP_",      "MSG_",	 "FSYNC_",
		"SPLICE_F", "FIXED_FD_", "RW_ATTR_",	  "PBUF_RING_"};

	if (ends(name, "_LAST") || ends(name, "_BIT") || !strcmp(name, "OP_SUPPORTED"))
		return false;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (begins(name, families[i]))
			return true;
	return register_call(name);
}

static void every_name_has_its_row(void **state)
{
	unsigned missing = 0;

	(void)state;
	/* What can be read of the header is read right. */
	assert_int_equal(find_constant("OP_URING_CMD128")->value, ASYNCRING_OP_URING_CMD128);
	assert_int_equal(find_constant("OP_LAST")->value, ASYNCRING_OP_LAST);
	assert_int_equal(find_constant("REGISTER_QUERY")->value, ASYNCRING_REGISTER_QUERY);
	assert_int_equal(find_constant("SETUP_SQE_MIXED")->value, ASYNCRING_SETUP_SQE_MIXED);
	assert_int_equal(find_constant("SQE_ASYNC")->value, ASYNCRING_SQE_ASYNC);
	for (unsigned i = 0; i < constant_count; i++) {
		if (!needs_row(constants[i].name) || find_row(constants[i].name))
			continue;
		print_error("%s is not in the document\n", constants[i].name);
		missing++;
	}
	assert_int_equal(missing, 0);
}

static void every_row_has_a_name(void **state)
{
	(void)state;
	assert_true(row_count > 150);
	for (unsigned i = 0; i < row_count; i++) {
		if (!find_constant(rows[i].name))
			print_error("%s is not in the header\n", rows[i].name);
		assert_non_null(find_constant(rows[i].name));
	}
}

/* ---- asking the library ---- */

/*
 * Hold what the library answered against the row: that of a served thing is anything but -EINVAL.
 * Returns how many were wrong, so that all are told at once.
 */
static unsigned judge(const struct row *row, int answer)
{
	bool right = row->state == REFUSED ? answer == row->error : answer != -EINVAL;

	if (!right)
		print_error("%s: the library answers %d\n", row->name, answer);
	return !right;
}

/* Calls @ask for each row of the family @prefix with the constant's value. */
static void judge_family(const char *prefix, int (*ask)(unsigned value))
{
	unsigned asked = 0, wrong = 0;

	for (unsigned i = 0; i < row_count; i++) {
		if (!begins(rows[i].name, prefix))
			continue;
		wrong += judge(&rows[i], ask(find_constant(rows[i].name)->value));
		asked++;
	}
	assert_true(asked > 0);
	assert_int_equal(wrong, 0);
}

static int run_sqe(const struct asyncring_sqe *sqe, unsigned setup_flags)
{
	struct asyncring ring;
	int result;

	assert_int_equal(asyncring_queue_init(4, &ring, setup_flags), 0);
	/* The copy is 64 bytes long whatever the ring's entries are; get_sqe has cleared the rest.
	 */
	*support_sqe(&ring) = *sqe;
	result = support_run(&ring);
	asyncring_queue_exit(&ring);
	return result;
}

static void operations(void **state)
{
	struct asyncring_probe *probe = asyncring_get_probe();
	unsigned asked = 0, wrong = 0;

	(void)state;
	assert_non_null(probe);
	for (unsigned i = 0; i < row_count; i++) {
		struct asyncring_sqe sqe = {.fd = -1};
		unsigned opcode;

		if (!begins(rows[i].name, "OP_"))
			continue;
		asked++;
		opcode = find_constant(rows[i].name)->value;
		if (asyncring_opcode_supported(probe, (int)opcode) == (rows[i].state == REFUSED)) {
			print_error("%s: the probe says otherwise\n", rows[i].name);
			wrong++;
		}
		sqe.opcode = (__u8)opcode;
		if (rows[i].state == REFUSED)
			wrong += judge(&rows[i], run_sqe(&sqe, ASYNCRING_SETUP_SQE128));
	}
	asyncring_free_probe(probe);
	assert_int_equal(asked, ASYNCRING_OP_LAST);
	assert_int_equal(wrong, 0);
}

static int ask_sqe_flag(unsigned flag)
{
	struct asyncring_sqe sqe = {.opcode = ASYNCRING_OP_READ};
	char byte;
	int result;

	/* NOPs take all but the selection of buffers, and a skipped success cannot be waited for.
	 */
	if (flag == ASYNCRING_SQE_BUFFER_SELECT) {
		sqe.fd = support_file("/tmp", 1);
		sqe.addr = (uintptr_t)&byte;
		sqe.len = 1;
	} else {
		sqe.opcode = ASYNCRING_OP_NOP;
		sqe.nop_flags = ASYNCRING_NOP_INJECT_RESULT;
		sqe.len = (__u32)-EIO;
	}
	sqe.flags = (__u8)flag;
	result = run_sqe(&sqe, 0);
	if (flag == ASYNCRING_SQE_BUFFER_SELECT)
		close(sqe.fd);
	return result;
}

static void sqe_flags(void **state)
{
	(void)state;
	judge_family("SQE_", ask_sqe_flag);
}

/* Each with what it cannot do without. */
static int ask_setup_flag(unsigned flag)
{
	struct asyncring_params params = {.flags = flag};
	struct asyncring ring, other;
	int result;

	switch (flag) {
	case ASYNCRING_SETUP_SQ_AFF:
		params.flags |= ASYNCRING_SETUP_SQPOLL;
		params.sq_thread_cpu = (__u32)sched_getcpu();
		break;
	case ASYNCRING_SETUP_CQSIZE:
		params.cq_entries = 64;
		break;
	case ASYNCRING_SETUP_TASKRUN_FLAG:
		params.flags |= ASYNCRING_SETUP_COOP_TASKRUN;
		break;
	case ASYNCRING_SETUP_DEFER_TASKRUN:
		params.flags |= ASYNCRING_SETUP_SINGLE_ISSUER;
		break;
	case ASYNCRING_SETUP_REGISTERED_FD_ONLY:
		params.flags |= ASYNCRING_SETUP_NO_MMAP;
		break;
	case ASYNCRING_SETUP_HYBRID_IOPOLL:
		params.flags |= ASYNCRING_SETUP_IOPOLL;
		break;
	}
	assert_int_equal(asyncring_queue_init(4, &other, 0), 0);
	params.wq_fd = (__u32)other.ring_fd;
	result = asyncring_queue_init_params(4, &ring, &params);
	if (!result)
		asyncring_queue_exit(&ring);
	asyncring_queue_exit(&other);
	return result;
}

static void setup_flags(void **state)
{
	(void)state;
	judge_family("SETUP_", ask_setup_flag);
}

static void features(void **state)
{
	struct asyncring_params params = {0};
	struct asyncring ring;
	unsigned listed = 0, wrong = 0;

	(void)state;
	assert_int_equal(asyncring_queue_init_params(4, &ring, &params), 0);
	asyncring_queue_exit(&ring);
	for (unsigned i = 0; i < row_count; i++) {
		unsigned bit;

		if (!begins(rows[i].name, "FEAT_"))
			continue;
		bit = find_constant(rows[i].name)->value;
		listed |= bit;
		if (!(params.features & bit) == (rows[i].state == ABSENT))
			continue;
		print_error("%s: the features are 0x%x\n", rows[i].name, params.features);
		wrong++;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(params.features & ~listed, 0);
}

static int ask_enter_flag(unsigned flag)
{
	struct asyncring_getevents_arg arg = {0};
	bool extended = flag == ASYNCRING_ENTER_EXT_ARG;
	struct asyncring ring;
	int result;

	assert_int_equal(asyncring_queue_init(4, &ring, 0), 0);
	result = asyncring_enter2((unsigned)ring.ring_fd, 0, 0, flag, extended ? &arg : NULL,
				  extended ? sizeof(arg) : _NSIG / 8);
	asyncring_queue_exit(&ring);
	return result;
}

static void enter_flags(void **state)
{
	(void)state;
	judge_family("ENTER_", ask_enter_flag);
}

/* ---- register calls ---- */

/* Arguments with which a call could succeed. */
union argument {
	unsigned char bytes[4096];
	struct asyncring_rsrc_register rsrc;
	struct asyncring_rsrc_update update;
	struct asyncring_rsrc_update2 update2;
	struct asyncring_sync_cancel_reg cancel;
	struct asyncring_clock_register clock;
	struct asyncring_clone_buffers clone;
	struct asyncring_buf_reg buffers;
	struct asyncring_file_index_range range;
	struct asyncring_restriction restriction;
	struct asyncring_sqe sqe;
	struct asyncring_params params;
	struct asyncring_mem_region_reg region;
	struct asyncring_query_hdr query;
	struct iovec vector;
	int fds[2];
	unsigned limits[2];
};

/* Fills in @argument, where it is an eventfd that is wanted with *@fd; the number to go with it. */
static unsigned sane_argument(unsigned call, union argument *argument, int *fd, int ring_fd)
{
	static struct asyncring_region_desc region;
	static char memory[64];

	switch (call) {
	case ASYNCRING_REGISTER_BUFFERS:
		argument->vector = (struct iovec){memory, sizeof(memory)};
		return 1;
	case ASYNCRING_REGISTER_FILES:
	case ASYNCRING_REGISTER_EVENTFD:
	case ASYNCRING_REGISTER_EVENTFD_ASYNC:
		argument->fds[0] = *fd;
		return 1;
	case ASYNCRING_REGISTER_FILES_UPDATE:
		argument->update.data = (uintptr_t)fd;
		return 1;
	case ASYNCRING_REGISTER_FILES2:
	case ASYNCRING_REGISTER_BUFFERS2:
		argument->rsrc.nr = 1;
		argument->rsrc.flags = ASYNCRING_RSRC_REGISTER_SPARSE;
		return sizeof(argument->rsrc);
	case ASYNCRING_REGISTER_FILES_UPDATE2:
	case ASYNCRING_REGISTER_BUFFERS_UPDATE:
		argument->update2.nr = 1;
		return sizeof(argument->update2);
	case ASYNCRING_REGISTER_RING_FDS:
	case ASYNCRING_REGISTER_IOWQ_AFF:
	case ASYNCRING_REGISTER_SYNC_CANCEL:
	case ASYNCRING_REGISTER_CLONE_BUFFERS:
	case ASYNCRING_UNREGISTER_RING_FDS:
	case ASYNCRING_UNREGISTER_PERSONALITY:
	case ASYNCRING_REGISTER_RESTRICTIONS:
	case ASYNCRING_REGISTER_PROBE:
		argument->bytes[0] = call == ASYNCRING_REGISTER_IOWQ_AFF;
		return 1;
	case ASYNCRING_REGISTER_IOWQ_MAX_WORKERS:
		return 2;
	case ASYNCRING_REGISTER_FILE_ALLOC_RANGE:
	case ASYNCRING_UNREGISTER_BUFFERS:
	case ASYNCRING_UNREGISTER_FILES:
	case ASYNCRING_UNREGISTER_EVENTFD:
	case ASYNCRING_REGISTER_PERSONALITY:
	case ASYNCRING_REGISTER_ENABLE_RINGS:
	case ASYNCRING_UNREGISTER_IOWQ_AFF:
		return 0;
	case ASYNCRING_REGISTER_PBUF_RING:
		argument->buffers.ring_entries = 1;
		return 1;
	case ASYNCRING_REGISTER_CLOCK:
		argument->clock.clockid = CLOCK_MONOTONIC;
		return 0;
	case ASYNCRING_REGISTER_RESIZE_RINGS:
		argument->params.sq_entries = 8;
		return 1;
	case ASYNCRING_REGISTER_MEM_REGION:
		region = (struct asyncring_region_desc){.size = (__u64)sysconf(_SC_PAGESIZE)};
		argument->region.region_uptr = (uintptr_t)&region;
		return 1;
	case ASYNCRING_REGISTER_QUERY:
		return 0;
	case ASYNCRING_REGISTER_SEND_MSG_RING:
		argument->sqe.opcode = ASYNCRING_OP_MSG_RING;
		argument->sqe.fd = ring_fd;
		return 1;
	}
	return 1;
}

/* These refuse an argument; the others refuse to be without. */
static bool takes_no_argument(unsigned call)
{
	switch (call) {
	case ASYNCRING_UNREGISTER_BUFFERS:
	case ASYNCRING_UNREGISTER_FILES:
	case ASYNCRING_UNREGISTER_EVENTFD:
	case ASYNCRING_REGISTER_PERSONALITY:
	case ASYNCRING_UNREGISTER_PERSONALITY:
	case ASYNCRING_REGISTER_ENABLE_RINGS:
	case ASYNCRING_UNREGISTER_IOWQ_AFF:
		return true;
	}
	return false;
}

static int ask_register(unsigned call)
{
	unsigned setup = 0;
	union argument *argument = calloc(1, sizeof(*argument));
	struct asyncring ring;
	int fd, result;
	unsigned count;

	assert_non_null(argument);
	if (call == ASYNCRING_REGISTER_RESTRICTIONS)
		setup = ASYNCRING_SETUP_R_DISABLED;
	if (call == ASYNCRING_REGISTER_RESIZE_RINGS)
		setup = ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN;
	assert_int_equal(asyncring_queue_init(4, &ring, setup), 0);
	fd = (int)syscall(SYS_eventfd2, 0, 0);
	assert_true(fd >= 0);
	/* A personality to give up. */
	if (call == ASYNCRING_UNREGISTER_PERSONALITY)
		assert_int_equal(asyncring_register_personality(&ring), 1);
	count = sane_argument(call, argument, &fd, ring.ring_fd);
	/* The one call that is for no ring. */
	result = asyncring_register(
		call == ASYNCRING_REGISTER_SEND_MSG_RING ? (unsigned)-1 : (unsigned)ring.ring_fd,
		call, takes_no_argument(call) ? NULL : argument, count);
	asyncring_queue_exit(&ring);
	close(fd);
	free(argument);
	return result;
}

static void register_calls(void **state)
{
	unsigned asked = 0, wrong = 0;

	(void)state;
	for (unsigned i = 0; i < row_count; i++) {
		if (!register_call(rows[i].name))
			continue;
		wrong += judge(&rows[i], ask_register(find_constant(rows[i].name)->value));
		asked++;
	}
	assert_int_equal(asked, ASYNCRING_REGISTER_LAST);
	assert_int_equal(wrong, 0);
}

/* ---- flags of operations ---- */

static int ask_cancel_flag(unsigned flag)
{
	struct asyncring_sqe sqe = {.opcode = ASYNCRING_OP_ASYNC_CANCEL, .cancel_flags = flag};

	return run_sqe(&sqe, 0);
}

static void cancel_flags(void **state)
{
	(void)state;
	judge_family("ASYNC_CANCEL_", ask_cancel_flag);
}

static int ask_nop_flag(unsigned flag)
{
	struct asyncring_sqe sqe = {.opcode = ASYNCRING_OP_NOP, .nop_flags = flag};

	return run_sqe(&sqe, flag == ASYNCRING_NOP_CQE32 ? ASYNCRING_SETUP_CQE32 : 0);
}

static void nop_flags(void **state)
{
	(void)state;
	judge_family("NOP_", ask_nop_flag);
}

/* SEND_FD with an empty table fails later than a flag that is not known does. */
static int ask_message_flag(unsigned flag)
{
	struct asyncring_sqe sqe = {.opcode = ASYNCRING_OP_MSG_RING, .msg_ring_flags = flag};
	struct asyncring target;
	int result;

	assert_int_equal(asyncring_queue_init(4, &target, 0), 0);
	sqe.fd = target.ring_fd;
	sqe.addr = flag == ASYNCRING_MSG_RING_CQE_SKIP ? ASYNCRING_MSG_SEND_FD : ASYNCRING_MSG_DATA;
	result = run_sqe(&sqe, 0);
	asyncring_queue_exit(&target);
	return result;
}

static void message_flags(void **state)
{
	(void)state;
	judge_family("MSG_RING_", ask_message_flag);
}

static int ask_attribute(unsigned mask)
{
	struct asyncring_attr_pi attribute = {0};
	struct asyncring_sqe sqe = {.opcode = ASYNCRING_OP_READ, .fd = -1};

	sqe.attr_ptr = (uintptr_t)&attribute;
	sqe.attr_type_mask = mask;
	return run_sqe(&sqe, 0);
}

static void attributes(void **state)
{
	(void)state;
	judge_family("RW_ATTR_", ask_attribute);
}

static int ask_buffer_ring_flag(unsigned flag)
{
	struct asyncring_buf_ring *buffers;
	struct asyncring ring;
	int result = 0;

	assert_int_equal(asyncring_queue_init(4, &ring, 0), 0);
	buffers = asyncring_setup_buf_ring(&ring, 1, 0, flag, &result);
	if (buffers)
		assert_int_equal(asyncring_free_buf_ring(&ring, buffers, 1, 0), 0);
	asyncring_queue_exit(&ring);
	return result;
}

static void buffer_ring_flags(void **state)
{
	(void)state;
	judge_family("PBUF_RING_", ask_buffer_ring_flag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_has_its_row),
		cmocka_unit_test(every_row_has_a_name),
		cmocka_unit_test(operations),
		cmocka_unit_test(sqe_flags),
		cmocka_unit_test(setup_flags),
		cmocka_unit_test(features),
		cmocka_unit_test(enter_flags),
		cmocka_unit_test(register_calls),
		cmocka_unit_test(cancel_flags),
		cmocka_unit_test(nop_flags),
		cmocka_unit_test(message_flags),
		cmocka_unit_test(attributes),
		cmocka_unit_test(buffer_ring_flags),
	};

	return cmocka_run_group_tests(tests, read_both, NULL);
}
