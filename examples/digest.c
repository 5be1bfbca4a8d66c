/* SPDX-License-Identifier: MIT */
/* digest: XXH3 with 128 bits from libxxhash, SHA-256 from OpenSSL's libcrypto. */
#include "digest.h"

#include "report.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const struct {
	const char *name;
	size_t length; /* in bytes */
} algorithms[ALGORITHMS] = {
	[XXH128] = {"xxh128", sizeof(XXH128_canonical_t)},
	[SHA256] = {"sha256", 32},
};

struct digest {
	enum algorithm algorithm;
	XXH3_state_t *xxh;
	EVP_MD_CTX *sha;
};

enum algorithm algorithm_named(const char *name)
{
	enum algorithm algorithm = 0;

	while (algorithm < ALGORITHMS && strcmp(algorithms[algorithm].name, name) != 0)
		algorithm++;
	return algorithm;
}

enum algorithm algorithm_of_length(size_t length)
{
	enum algorithm algorithm = 0;

	while (algorithm < ALGORITHMS && algorithms[algorithm].length * 2 != length)
		algorithm++;
	return algorithm;
}

/* Neither library fails for another reason than want of memory. */
static void check(int succeeded)
{
	if (!succeeded) {
		report(0, "cannot compute a checksum", NULL, NULL);
		exit(EXIT_FAILURE);
	}
}

struct digest *digest_new(enum algorithm algorithm)
{
	struct digest *digest = allocate(sizeof(*digest));

	*digest = (struct digest){.algorithm = algorithm};
	if (algorithm == XXH128) {
		digest->xxh = XXH3_createState();
		check(digest->xxh && XXH3_128bits_reset(digest->xxh) == XXH_OK);
	} else {
		digest->sha = EVP_MD_CTX_new();
		check(digest->sha && EVP_DigestInit_ex(digest->sha, EVP_sha256(), NULL));
	}
	return digest;
}

void digest_update(struct digest *digest, const void *data, size_t length)
{
	if (digest->algorithm == XXH128)
		check(XXH3_128bits_update(digest->xxh, data, length) == XXH_OK);
	else
		check(EVP_DigestUpdate(digest->sha, data, length));
}

void digest_finish(struct digest *digest, char text[DIGEST_TEXT])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	XXH128_canonical_t canonical;

	if (digest->algorithm == XXH128) {
		XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest->xxh));
		memcpy(bytes, canonical.digest, sizeof(canonical.digest));
		XXH3_freeState(digest->xxh);
	} else {
		check(EVP_DigestFinal_ex(digest->sha, bytes, NULL));
		EVP_MD_CTX_free(digest->sha);
	}
	for (size_t i = 0; i < algorithms[digest->algorithm].length; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	free(digest);
}
