/* SPDX-License-Identifier: MIT */
/*
 * verbs.h - what quire can do: one row per verb, each in its verb_<name>.c
 */
#ifndef QUIRE_TOOLS_VERBS_H
#define QUIRE_TOOLS_VERBS_H

#include "cli.h"

extern const struct verb verb_import;
extern const struct verb verb_info;
extern const struct verb verb_record;
extern const struct verb verb_replay;
extern const struct verb verb_show;
extern const struct verb verb_stress;
extern const struct verb verb_sweep;
extern const struct verb verb_tunables;

#endif /* QUIRE_TOOLS_VERBS_H */
