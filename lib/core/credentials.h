/* SPDX-License-Identifier: MIT */
/*
 * Personalities: credentials saved at registration, with which a request may be carried out
 * although the application has changed its own since (credentials.c). Linux keeps credentials for
 * each thread, so a worker can take others for the time of one request.
 */
#ifndef ASYNCRING__CREDENTIALS_H
#define ASYNCRING__CREDENTIALS_H

struct ring;

/* Run the calling worker as @personality; 0 or a negative errno. */
int asyncring__personality_assume(struct ring *ring, unsigned personality);

/* Back to the process's own credentials. */
void asyncring__personality_drop(void);

#endif
