#!/usr/bin/env bash
# Runs:  coarsening large: one box, in slabs over all ranks of the task where it is too big for one device, into RUN/large.
# Needs: 24 bytes of memory a cell over all ranks (1024^3: 26 GB, 2048^3: 206 GB), a GPU each or 4 cores; as much disk as the kept
#        frames (4 bytes a cell each) and two states (12 bytes a cell each).
# Costs: some thousand steps of about 3 ns of a core a cell (14 where large.size is none of 32, 64, ... 1024);
#        analysis/results/bench/large-box.md has a model of GPUs.
#        Saved every large.checkpoint seconds.
#   sbatch --ntasks=16 slurm/coarsening_large.sh CONFIG.yaml --run RUN [--set large.size=2048 ...]
#   RANKS=4 LAUNCHER="mpiexec -n 4" bash slurm/coarsening_large.sh CONFIG.yaml --run RUN [--set large.size=512 ...]    without Slurm
# GPUs: export QUENCH_GPU_AWARE_MPI=1 where MPI reads their memory and does not say so itself (Open MPI before 6).
#SBATCH --job-name=coarsening-large
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=4G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=coarsening STAGE=large
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
