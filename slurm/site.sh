# All that is particular to a cluster. Edit this file and leave the others as they are. What is set in the environment wins.

# What a node has to load before anything runs.
modules() {
  :
  # module load gcc cuda        # a C++ compiler (CPU), CUDA 12 or 13 (GPU)
}

SITE=${SITE:-}                        # a cluster that slurm/sites/ has a file for, such as lumi: it comes before what stands below
[ -z "$SITE" ] || source "${BASH_SOURCE[0]%/*}/sites/$SITE.sh" || exit 2

# What submit.sh asks sbatch for; empty: the cluster's default, or the template's. Of generate, train, predict and rollout, where they
# ask for GPUs: GPU_KEY, where it differs (GPU_ACCOUNT, GPU_QOS, ...). Of one stage: KEY_STAGE or KEY_STUDY_STAGE (MEM_collect=64G,
# NTASKS_nucleation_train=10); GPU_generate= (empty) keeps generate off GPUs.
ACCOUNT=${ACCOUNT:-}                  # --account
PARTITION=${PARTITION:-}              # --partition
GPU_PARTITION=${GPU_PARTITION:-}
QOS=${QOS:-}                          # --qos
CONSTRAINT=${CONSTRAINT:-}            # --constraint
TIME=${TIME:-}                        # --time
MEM=${MEM:-}                          # --mem; 0: all that a node has
CORES=${CORES:-}                      # --cpus-per-task
NTASKS=${NTASKS:-}                    # --ntasks: ranks, which fill a node where nodes are handed out whole
OPTIONS=${OPTIONS:-}                  # more, as words: --exclusive --exclude=n17
GPU=${GPU-}                           # what asks for GPUs: --gpus-per-task=1, or --gres=gpu:N for N ranks a node; empty: cores only
NEEDS=${NEEDS:-}                      # which of these have to be given, lest sbatch refuse: ACCOUNT
GENERATE_TASKS=${GENERATE_TASKS:-8}   # the longest arrays; never more than there are units, or networks
TRAIN_TASKS=${TRAIN_TASKS:-16}
REQUEUE=${REQUEUE:-yes}               # no, where it is forbidden: what is to be continued submits a job of its own, which others then wait for
MAX_REQUEUES=${MAX_REQUEUES:-20}      # lives of a task after its first: time limits, preemptions
GRACE=${GRACE:-480}                   # seconds that a unit or epoch gets after the signal; less than --signal's in the templates
PYTHON=${PYTHON:-}                    # empty: the repository's .venv, else python3

# What starts the ranks of a task, several of them only (sbatch --ntasks=4): they are MPI's. One dead rank ends all.
LAUNCHER=${LAUNCHER:-srun --mpi=pmi2 --kill-on-bad-exit=1}       # MPICH, the PyPI wheel mpich among them

# An Open MPI site (srun --mpi=list shows pmix):
#   modules() { module load gcc cuda openmpi; }; LAUNCHER="srun --mpi=pmix --kill-on-bad-exit=1"
#   and mpi4py built with that Open MPI: .venv/bin/pip install --no-binary mpi4py mpi4py
# An MPICH or Cray site:
#   modules() { module load PrgEnv-gnu cray-mpich cudatoolkit; }; LAUNCHER="srun --mpi=cray_shasta --kill-on-bad-exit=1"
#   and MPICC=cc .venv/bin/pip install --no-binary mpi4py mpi4py
# A workstation, no Slurm: bash slurm/STUDY_STAGE.sh needs nothing of this file; for several ranks
#   RANKS=4 LAUNCHER="mpiexec -n 4" bash slurm/nucleation_generate.sh ...      (ranks that train one network together need no launcher)
