# ARCHER2, EPCC: CPU nodes of 128 cores, always whole. Its four GPU nodes are AMD's, which Quench's kernels were not written for.
#   https://docs.archer2.ac.uk/user-guide/scheduler/   --account, --partition and --qos are wanted; standard: 24 h, 64 jobs queued, 16 running;
#                                                      serial: 24 h, 32 cores and 128 GB in all, shared, not charged
#   https://docs.archer2.ac.uk/user-guide/data/        compute nodes see /work and not /home: Quench, its .venv and RUN belong on /work
#   https://docs.archer2.ac.uk/user-guide/python/      cray-python below an environment of one's own
# Not found: whether each task of an array counts as a job; arrays are short for that. Nothing here has run there.
NEEDS=ACCOUNT                         # a budget, such as t01
GPU=
PARTITION=${PARTITION:-standard}
QOS=${QOS:-standard}
MEM=${MEM:-0}
CORES=${CORES:-128}                   # a node a task, filled by
NTASKS_generate=${NTASKS_generate:-32}                   # ranks of four cores, by MPI
CORES_generate=${CORES_generate:-4}
GENERATE_TASKS=${GENERATE_TASKS:-2}
NTASKS_nucleation_train=${NTASKS_nucleation_train:-16}   # small networks side by side; others take a node each
CORES_nucleation_train=${CORES_nucleation_train:-8}
NTASKS_flocking_train=${NTASKS_flocking_train:-16}
CORES_flocking_train=${CORES_flocking_train:-8}
TRAIN_TASKS=${TRAIN_TASKS:-4}
for stage in collect analysis; do     # on the shared nodes
  printf -v "PARTITION_$stage" serial
  printf -v "QOS_$stage" serial
  printf -v "CORES_$stage" 2
  printf -v "MEM_$stage" 16G
done
LAUNCHER=${LAUNCHER:-srun --distribution=block:block --hint=nomultithread --kill-on-bad-exit=1}
modules() {
  module load PrgEnv-gnu cray-python
  export QUENCH_CACHE=${QUENCH_CACHE:-$QUENCH/.cache}   # ~ is not there
}
