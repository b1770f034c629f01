#!/usr/bin/env bash
# Runs:  nucleation collect: all units into RUN/dataset.h5, balanced in p_nuc.
# Needs: 2 cores, 1 GB of memory and 40 bytes a label.
# Costs: seconds to minutes.
#   sbatch slurm/nucleation_collect.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/nucleation_collect.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=nucleation-collect
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=16G
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=nucleation STAGE=collect
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
