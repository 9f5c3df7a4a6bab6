# shellcheck shell=bash disable=SC2016,SC2034
# Part of tests/topology: two nodes and their pods in network namespaces, whatever network plugin wires them. Sourced by
# a script of that plugin's, which defines
#
#   require_host              has this machine what it takes? Else it dies with the remedy.
#   wire_node NETNS OWN PEER  addresses, tunnel and routes of node OWN towards node PEER
#   plug PREFIX NODE NAME     the device of a pod, whose netns is there; prints the result as CNI plugins do
#   unplug PREFIX NODE NAME   takes it away again
#   program_rules NETNS OWN ENDPOINT   netfilter's; ENDPOINT is the pod behind the service, or empty
#
# sets NETWORK_NAME, and calls main "$@".

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

PODS=${PODS:-1:pod1 1:pod2 2:pod3 2:pod4}
IPTABLES=${IPTABLES:-iptables-nft}
CNI_CACHE_DIR=${CNI_CACHE_DIR:-/var/lib/cni/cache}
STATE_DIR=${STATE_DIR:-/run/dptrace-topology}

NETWORK=10.244.0.0/16 NETWORK6=fd00:10:244::/48
declare -A SUBNET=([1]=10.244.19 [2]=10.244.6) SUBNET6=([1]=fd00:10:244:19 [2]=fd00:10:244:6)
declare -A NODE_IP=([1]=192.168.56.11 [2]=192.168.56.12) NODE_IP6=([1]=fd00:56::11 [2]=fd00:56::12)
SERVICE=default/web:http SERVICE_IP=10.100.214.177 SERVICE_PORT=80

in_netns() { ip netns exec "$@"; }

netns_exists() { [[ -e /run/netns/$1 ]]; }

# ---- nodes

make_netns() {
    ip netns add "$1"
    # No duplicate address detection: it would cost a second per address and tells nothing here.
    in_netns "$1" sh -c '
        for key in all default; do
            echo 0 > /proc/sys/net/ipv6/conf/$key/accept_dad
            echo 0 > /proc/sys/net/ipv6/conf/$key/disable_ipv6
            echo 0 > /proc/sys/net/ipv4/conf/$key/rp_filter
        done'
    ip -n "$1" link set lo up
}

uplink() {
    ip -n "$1" -batch - <<BATCH
addr add ${NODE_IP[$2]}/24 dev eth0
addr add ${NODE_IP6[$2]}/64 dev eth0 nodad
link set eth0 up
BATCH
}

# ---- pods

container_id() {
    local sum
    sum=$(printf %s "$1/$2" | sha256sum)
    echo "${sum%% *}"
}

cache_file() { echo "$CNI_CACHE_DIR/results/$NETWORK_NAME-$(container_id "$1" "$2")-eth0"; }

# What libcni leaves for every attachment, and where dptrace finds the pod's name.
write_cache() {
    local prefix=$1 node=$2 name=$3 result=$4 file
    file=$(cache_file "$prefix" "$name")
    result=$(tr -d ' \n' <<< "$result")
    mkdir -p "${file%/*}"
    printf '{"kind":"cniCacheV1","containerId":"%s","config":"%s","ifName":"eth0","networkName":"%s","cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME","%s"]],"result":%s}' \
        "$(container_id "$prefix" "$name")" "$(network_config "$prefix" "$node" | base64 -w0)" "$NETWORK_NAME" "$name" "$result" > "$file"
}

start_pod() {
    local prefix=$1 node=$2 name=$3 netns=$1-$3 result ip ip6 veth
    netns_exists "$netns" && die "pod $name exists already in $prefix"
    mkdir -p "$STATE_DIR/$prefix/pods"
    echo "node=$node" > "$STATE_DIR/$prefix/pods/$name"
    make_netns "$netns"
    result=$(plug "$prefix" "$node" "$name") || die "pod $name could not be wired: $result"
    write_cache "$prefix" "$node" "$name" "$result"
    ip=$(grep -o "${SUBNET[$node]//./\\.}\.[0-9]*/[0-9]*" <<< "$result")
    ip6=$(grep -o "${SUBNET6[$node]}::[0-9a-f]*/[0-9]*" <<< "$result")
    veth=$(grep -oEm1 '(veth|cali)[0-9a-f]+' <<< "$result")
    echo "node=$node ip=${ip%/*} ip6=${ip6%/*} veth=$veth" > "$STATE_DIR/$prefix/pods/$name"
    echo "$netns ${ip%/*} ${ip6%/*} $veth"
}

end_pod() {
    local prefix=$1 node=$2 name=$3
    unplug "$prefix" "$node" "$name"
    ip netns del "$prefix-$name"
    rm -f "$(cache_file "$prefix" "$name")" "$STATE_DIR/$prefix/pods/$name"
}

# ---- commands

up() {
    local prefix=$1 node pod endpoint=
    netns_exists "$prefix-n1" && die "$prefix is up already: ${0##*/} down $prefix"
    require_host
    # shellcheck disable=SC2064  # the prefix of now
    trap "down $prefix" EXIT  # unless all of it succeeds
    make_netns "$prefix-n1"
    make_netns "$prefix-n2"
    ip -n "$prefix-n1" link add eth0 type veth peer name eth0 netns "$prefix-n2"
    for node in 1 2; do
        uplink "$prefix-n$node" "$node"
        in_netns "$prefix-n$node" sh -c '
            echo 1 > /proc/sys/net/ipv4/ip_forward
            echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
        wire_node "$prefix-n$node" "$node" $((3 - node))
    done
    for pod in $PODS; do
        start_pod "$prefix" "${pod%%:*}" "${pod#*:}" > /dev/null
        [[ -z $endpoint && $pod == 2:* ]] && endpoint=$(pod_value "$prefix" "${pod#*:}" ip)
    done
    echo "service_pod=$endpoint order='$PODS'" > "$STATE_DIR/$prefix/state"
    for node in 1 2; do
        program_rules "$prefix-n$node" "$node" "$endpoint"
    done
    trap - EXIT
}

down() {
    local prefix=$1 file
    for file in "/run/netns/$prefix-"*; do
        [[ -e $file ]] && ip netns del "${file##*/}"
    done
    for file in "$STATE_DIR/$prefix/pods/"*; do
        [[ -e $file ]] && rm -f "$(cache_file "$prefix" "${file##*/}")"
    done
    rm -rf "${STATE_DIR:?}/$prefix"
    rmdir --parents --ignore-fail-on-non-empty "$STATE_DIR" "$CNI_CACHE_DIR/results" 2> /dev/null || true
}

pod_value() {
    local node ip ip6 veth
    # shellcheck source=/dev/null
    . <(tr ' ' '\n' < "$STATE_DIR/$1/pods/$2")
    echo "${!3}"
}

print_env() {
    local prefix=$1 name pod number=0 key order service_pod
    [[ -e $STATE_DIR/$prefix/state ]] || die "$prefix is not up"
    # shellcheck source=/dev/null
    . "$STATE_DIR/$prefix/state"
    echo "PREFIX=$prefix"
    echo "N1=$prefix-n1 N1_IP=${NODE_IP[1]} N1_IP6=${NODE_IP6[1]}"
    echo "N2=$prefix-n2 N2_IP=${NODE_IP[2]} N2_IP6=${NODE_IP6[2]}"
    echo "SERVICE_IP=$SERVICE_IP SERVICE_PORT=$SERVICE_PORT SERVICE_POD_IP=$service_pod"
    for pod in $order; do
        name=${pod#*:}
        number=$((number + 1))
        [[ -e $STATE_DIR/$prefix/pods/$name ]] || continue
        echo "POD$number=$prefix-$name POD${number}_NAME=$name POD${number}_NODE=$prefix-n${pod%%:*}"
        for key in ip ip6 veth; do
            echo "POD${number}_${key^^}=$(pod_value "$prefix" "$name" "$key")"
        done
    done
}

main() {
    [[ ${1:-} == -h || ${1:-} == --help ]] && { usage; exit 0; }
    [[ $# -ge 2 ]] || { usage >&2; exit 2; }
    local command=$1 prefix=$2
    [[ $prefix =~ ^[a-z0-9]+$ ]] || die "the prefix must be lower-case letters and digits, not \"$prefix\""
    [[ $EUID -eq 0 ]] || die "network namespaces need root"
    exec 9< "${BASH_SOURCE[0]}"
    flock --wait 60 9 || true  # topologies side by side share folders: one command at a time
    case $command/$# in
        up/2) up "$prefix" ;;
        down/2) down "$prefix" ;;
        env/2) print_env "$prefix" ;;
        pod/4 | unpod/4)
            [[ $3 == [12] ]] || die "node 1 or 2, not \"$3\""
            netns_exists "$prefix-n$3" || die "$prefix is not up"
            if [[ $command == pod ]]; then start_pod "$prefix" "$3" "$4"; else end_pod "$prefix" "$3" "$4"; fi
            ;;
        *) usage >&2; exit 2 ;;
    esac
}
