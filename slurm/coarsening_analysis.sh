#!/usr/bin/env bash
# Runs:  coarsening analysis: figures and report.md from RUN.
# Needs: 2 cores.
# Costs: a minute or two.
#   sbatch slurm/coarsening_analysis.sh RUN
#   bash slurm/coarsening_analysis.sh RUN    the same without Slurm
#SBATCH --job-name=coarsening-analysis
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=coarsening STAGE=analysis
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
