/* answer_set.h - the setters: how a value of each sort lands in a field; what was set first stays, unless said */
#ifndef ADT_SLURM_ANSWER_SET_H
#define ADT_SLURM_ANSWER_SET_H

#include "slurm/answer_private.h"

slurm_setter slurm_set_text;     /* "(null)" is none */
slurm_setter slurm_set_over;     /* the same, and the last one stays */
slurm_setter slurm_set_word;     /* none, too, for all of Slurm's words for nothing */
slurm_setter slurm_set_list;     /* texts between commas; JSON arrays are joined before */
slurm_setter slurm_set_hosts;    /* the same for what may be very many */
slurm_setter slurm_set_count;    /* a number, or the one that a text begins with */
slurm_setter slurm_set_id;       /* the same, 0 being none */
slurm_setter slurm_set_time;     /* the epoch, or a text */
slurm_setter slurm_set_minutes;  /* a limit */
slurm_setter slurm_set_limit;    /* a limit as text */
slurm_setter slurm_set_exit;     /* "0:15", or a wait status */
slurm_setter slurm_set_code;     /* the exit code alone */
slurm_setter slurm_set_signal;   /* the signal alone */
slurm_setter slurm_set_number;   /* any, as error codes are */
slurm_setter slurm_set_starless; /* "main*" without its mark */

/* Of jobs. */
slurm_setter slurm_set_job_id, slurm_set_job_state, slurm_set_tasks, slurm_set_user, slurm_set_where;
/* Of steps. */
slurm_setter slurm_set_step_state;
/* Of nodes. */
slurm_setter slurm_set_node_state, slurm_set_node_name, slurm_set_node_reason, slurm_set_cpus;
/* Of partitions. */
slurm_setter slurm_set_partition, slurm_set_partition_state, slurm_set_default, slurm_set_nodes_or_count;
/* Of pings. */
slurm_setter slurm_set_up;

#endif
