# LUMI: CPU nodes of 128 cores. Its GPUs are AMD's, which Quench's kernels were not written for: all stages run on LUMI-C.
#   https://docs.lumi-supercomputer.eu/runjobs/scheduled-jobs/partitions/   small: by the core, 3 days, 220 jobs a user; standard: whole nodes
#   https://docs.lumi-supercomputer.eu/runjobs/scheduled-jobs/batch-job/    --account is mandatory; each task of an array is a job
#   https://docs.lumi-supercomputer.eu/runjobs/scheduled-jobs/lumic-job/    --mem-per-cpu=1750 or less in small, --mem=0 in standard
#   https://docs.lumi-supercomputer.eu/software/                            no environments of many files on Lustre: slurm/quench.def
# Many units, on whole nodes by ranks: export PARTITION_generate=standard NTASKS_generate=32 MEM_generate=0 GENERATE_TASKS=4
# As documented in October 2024. Nothing here has run there.
NEEDS=ACCOUNT                         # project_462000000
PARTITION=${PARTITION:-small}
GPU=
MEM_generate=${MEM_generate:-7000M}   # four cores: more is billed as more cores
MEM_predict=${MEM_predict:-7000M}
LAUNCHER=${LAUNCHER:-srun --kill-on-bad-exit=1}
modules() {
  module load PrgEnv-gnu
}
