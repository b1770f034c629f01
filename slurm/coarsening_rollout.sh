#!/usr/bin/env bash
# Runs:  coarsening rollout: networks and solver go on alone from every case's starts, into RUN/rollout; what each costs, into costs.h5.
# Needs: 8 cores, or a GPU.
# Costs: minutes to hours, by the length of the cases; saved every minute.
#   sbatch slurm/coarsening_rollout.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/coarsening_rollout.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=coarsening-rollout
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=coarsening STAGE=rollout
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
