/* SPDX-License-Identifier: MIT */
/* The hooks of test builds; sys.h and clock.h say what they do. */
#include "sys.h"

#include "clock.h"

#ifdef ASYNCRING_TESTING
int64_t (*asyncring__clock_hook)(void);
bool (*asyncring__sys_hook)(long number, const long arguments[6], long *result);
#endif
