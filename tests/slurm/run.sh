#!/usr/bin/env bash
# An import through a real Slurm on this computer alone: 64 segments as an array job, and a merge by dependency. A task is
# requeued half-way; another one is killed, which cancels the merge, and the same submit again completes the import.
# The dataset is that of the one command, byte for byte.
# Needs root and Debian's packages slurmctld, slurmd, slurm-client and munge; neither systemd nor cgroups.
# Run it from anywhere: bash tests/slurm/run.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
directory=$(mktemp -d)
export SLURM_CONF=$directory/slurm.conf
daemons=()

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

clean_up() {
    status=$?
    if [ "$status" != 0 ]; then
        squeue --all 2>/dev/null >&2 || true
        tail -n 20 "$directory"/*.log >&2 || true
    fi
    # A task that was stopped, or still runs, ends with its directory's cluster.
    for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
    wait
    rm -rf "$directory"
    exit "$status"
}
trap clean_up EXIT

[ "$(id -u)" = 0 ] || fail "Slurm needs root here"
for tool in munged slurmctld slurmd sbatch scontrol squeue; do
    command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install slurmctld slurmd slurm-client munge"
done

wait_until() { # WHAT COMMAND...
    local end=$((SECONDS + 300)) what=$1
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "still not after a while: $what"
        sleep 0.1
    done
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_slurm() {
    local node
    node=$(hostname -s)
    (umask 077 && head -c 1024 /dev/urandom >"$directory/munge.key")
    mkdir "$directory/state" "$directory/spool" "$directory/tasks"
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued task waits until the credential of its first run has expired.
AuthInfo=socket=$directory/munge.socket,cred_expire=5
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd.pid
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
END
    munged --foreground --force --key-file="$directory/munge.key" --socket="$directory/munge.socket" \
        --pid-file="$directory/munge.pid" --seed-file="$directory/munge.seed" --log-file="$directory/munged.log" \
        >"$directory/munge-start.log" 2>&1 &
    daemons+=($!)
    wait_until "munged listens" test -S "$directory/munge.socket"
    slurmctld -D >"$directory/slurmctld.log" 2>&1 &
    daemons+=($!)
    slurmd -D -N "$node" >"$directory/slurmd.log" 2>&1 &
    daemons+=($!)
    wait_until "the node is idle" node_is_idle
}

node_is_idle() {
    [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ]
}

# The first attempt of a worker that can be stopped, but for the segment named: "segment pid".
stop_a_worker() { # BUT_SEGMENT
    local name segment pid
    for name in $(ls "$out/.segy-import/attempts" 2>/dev/null); do
        segment=${name#segment_} segment=${segment%%.*}
        pid=${name%-*} pid=${pid##*-}
        if [ "$segment" != "$1" ] && kill -STOP "$pid" 2>/dev/null; then
            if [ -e "$out/.segy-import/attempts/$name/progress" ]; then
                stopped="$segment $pid"
                return 0
            fi
            kill -CONT "$pid" 2>/dev/null || true
        fi
    done
    return 1
}

no_jobs() {
    [ -z "$(squeue --noheader --all)" ]
}

start_slurm
out="$directory/it's the dataset"
"$program" generate "$directory/in.sgy" --kind prestack --traces 32000 --samples 1000
options=(--chunk-traces 100 --codec gzip:9)
"$program" "$directory/in.sgy" "$directory/reference" "${options[@]}" --no-sync
submit() {
    "$program" submit "$directory/in.sgy" "$out" "${options[@]}" --scheduler slurm --segments 64 --now --progress json -- \
        --output="$directory/tasks/%A-%a.log" --open-mode=append | tail -n 1
}

# The number of a job in what submit printed.
job() { # NAME JSON
    python3 -c 'import json, sys; print(json.loads(sys.argv[2])[sys.argv[1]])' "$@"
}

submitted=$(submit)
echo "$submitted"
array=$(job array_job "$submitted")

wait_until "a worker can be stopped" stop_a_worker none
read -r requeued pid <<<"$stopped"
scontrol requeue "${array}_$requeued"
wait_until "another worker can be stopped" stop_a_worker "$requeued"
read -r killed pid <<<"$stopped"
"$program" status "$out" | grep converting
kill -KILL "$pid"
echo "requeued the task of segment $requeued, and killed that of segment $killed"
if "$program" merge "$out"; then fail "a merge with segments missing succeeded"; fi
wait_until "all jobs have ended" no_jobs
grep "segment $requeued of 64: [0-9]" "$directory/tasks/$array-$requeued.log" || fail "segment $requeued was not converted again"
[ "$("$program" status "$out" | tail -n 1)" = "  not done: $killed" ] || fail "not only segment $killed is missing"

submitted=$(submit)
echo "$submitted"
array=$(job array_job "$submitted")
wait_until "all jobs have ended" no_jobs
[ "$(cd "$directory/tasks" && echo "$array"-*)" = "$array-$killed.log" ] || fail "other segments were submitted again"
diff -r "$directory/reference" "$out" || fail "the dataset differs"
"$program" verify "$directory/in.sgy" "$out"
echo "64 segments through Slurm in $SECONDS s: the same bytes as by one command"
