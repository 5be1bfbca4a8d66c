/* SPDX-License-Identifier: MIT */
/*
 * Personalities: credentials saved at registration, with which a request may be carried out
 * although the application has changed its own since (credentials.c). Linux keeps credentials for
 * each thread, so a worker can take others for the time of one request.
 */
#ifndef ASYNCRING__CREDENTIALS_H
#define ASYNCRING__CREDENTIALS_H

struct credentials;
struct disguise;
struct ring;

/*
 * The credentials of personality @id with a reference of the caller's, or NULL. submit_lock held.
 * Whoever has a reference keeps them, whether the personality is unregistered or not.
 */
struct credentials *asyncring__credentials_get(struct ring *ring, unsigned id);
/* Any thread. */
void asyncring__credentials_put(struct credentials *credentials);

/*
 * Let the calling worker act with @credentials, which must stay until it does so no longer: 0 and
 * *disguise, which is for asyncring__credentials_drop(), or -ENOMEM, or -EPERM if the process may
 * not do that (any more).
 */
int asyncring__credentials_assume(const struct credentials *credentials,
				  struct disguise **disguise);

/* Back to the credentials of the process. */
void asyncring__credentials_drop(struct disguise *disguise);

#endif
