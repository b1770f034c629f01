# Perlmutter, NERSC: CPU nodes of 128 cores, GPU nodes of 64 cores and four A100.
#   https://docs.nersc.gov/jobs/policy/   the QOS is the queue, and where none is named it is debug; -A charges a project
# The account of GPU nodes ends in _g (https://impactx.readthedocs.io/en/latest/install/hpc/perlmutter.html, a code of LBNL's).
# --constraint, and a quarter of a node with a GPU in shared, are as in users' scripts; NERSC's own pages on them, and its table of time
# limits, were not found.
# $SCRATCH is cleaned of what was not used for eight weeks. Nothing here has run there.
NEEDS=ACCOUNT
GPU_ACCOUNT=${GPU_ACCOUNT:-${ACCOUNT:+${ACCOUNT%_g}_g}}
QOS=${QOS:-shared}                    # part of a node; regular: whole ones
CONSTRAINT=${CONSTRAINT:-cpu}
GPU_CONSTRAINT=${GPU_CONSTRAINT:-gpu}
GPU=${GPU---gpus-per-task=1}
GPU_CORES=${GPU_CORES:-32}            # hardware threads: a quarter of a node's
LAUNCHER=${LAUNCHER:-srun --mpi=cray_shasta --kill-on-bad-exit=1}
modules() {
  module load PrgEnv-gnu cudatoolkit
}
