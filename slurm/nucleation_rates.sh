#!/usr/bin/env bash
# Runs:  nucleation rates: forward flux sampling, a sampling at a time, into RUN/rates; their mean, by the last task, into RUN/rates.h5.
# Needs: 4 cores and 8 GB a task, or a GPU; no other stage.
# Costs: 10 x 10 sites, a lifetime of 1e4 MCS: a second of one core a sampling (along the largest cluster ten); nothing larger is timed yet.
#   sbatch slurm/nucleation_rates.sh CONFIG.yaml --run RUN --set rates.repeats=16 [--set KEY.PATH=VALUE ...]
#   bash slurm/nucleation_rates.sh CONFIG.yaml --run RUN --set rates.repeats=16 [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=nucleation-rates
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=nucleation STAGE=rates
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
