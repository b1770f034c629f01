#!/usr/bin/env bash
# Runs:  nucleation generate: events, and copies of their last configurations, into RUN/generate/unit-*.h5.
# Needs: 4 cores and 8 GB a task, or a GPU (up to R = 5 prefer cores); 0.2 to 4 GB of disk.
# Costs: R = 10, L = 100: 22 minutes of two cores in all; L = 200: half an hour of one core a unit.
#   sbatch slurm/nucleation_generate.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/nucleation_generate.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=nucleation-generate
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=nucleation STAGE=generate
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
