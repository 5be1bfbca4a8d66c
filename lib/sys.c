/* SPDX-License-Identifier: MIT */
/* The hook of test builds; sys.h says what it does. */
#include "sys.h"

#ifdef ASYNCRING_TESTING
bool (*asyncring__sys_hook)(long number, const long arguments[6], long *result);
#endif
