/* SPDX-License-Identifier: MIT */
/* digest: the checksums that arsum knows, each from the library that is known for it. */
#ifndef EXAMPLES_DIGEST_H
#define EXAMPLES_DIGEST_H

#include <stddef.h>

enum algorithm { XXH128, SHA256, ALGORITHMS };

/* Room for the longest checksum in hexadecimal digits, and the end of the string. */
#define DIGEST_TEXT 65

struct digest;

/* The algorithm called NAME, or of which a checksum has LENGTH digits; ALGORITHMS if there is none.
 */
enum algorithm algorithm_named(const char *name);
enum algorithm algorithm_of_length(size_t length);

/* Begins a checksum. Ends the program if there is no memory. */
struct digest *digest_new(enum algorithm algorithm);
void digest_update(struct digest *digest, const void *data, size_t length);
/* Writes the checksum to TEXT and frees the digest. */
void digest_finish(struct digest *digest, char text[DIGEST_TEXT]);

#endif
