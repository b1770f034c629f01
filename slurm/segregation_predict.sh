#!/usr/bin/env bash
# Runs:  segregation predict: the networks' answers to the test set and their energies, into RUN/predict.
# Needs: 4 cores, or a GPU.
# Costs: minutes.
#   sbatch slurm/segregation_predict.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/segregation_predict.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=segregation-predict
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=segregation STAGE=predict
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
