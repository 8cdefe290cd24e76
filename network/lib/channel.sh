# shellcheck shell=bash
# The channel: its first block, who joins it, and changes of its configuration.

org_policies() { # org_policies MSPID: an organisation's own rules, by node roles
  cat <<END
    Policies:
      Readers: { Type: Signature, Rule: "OR('$1.admin', '$1.peer', '$1.client')" }
      Writers: { Type: Signature, Rule: "OR('$1.admin', '$1.client')" }
      Admins: { Type: Signature, Rule: "OR('$1.admin')" }
      Endorsement: { Type: Signature, Rule: "OR('$1.peer')" }
END
}

peer_org_definition() { # peer_org_definition MSPID
  cat <<END
  - &$1
    Name: $1
    ID: $1
    MSPDir: $(org_dir "$1")/msp
$(org_policies "$1")
    AnchorPeers:
      - { Host: 127.0.0.1, Port: $(port "$1.peer") }
END
}

write_configtx() {
  local org i
  mkdir -p "$STATE/channel"
  {
    printf '# Written by network/%s.\nOrganizations:\n' "$COMMAND"
    cat <<END
  - &$ORDERING
    Name: $ORDERING
    ID: $ORDERING
    MSPDir: $(ordering_dir)/msp
    Policies:
      Readers: { Type: Signature, Rule: "OR('$ORDERING.member')" }
      Writers: { Type: Signature, Rule: "OR('$ORDERING.member')" }
      Admins: { Type: Signature, Rule: "OR('$ORDERING.admin')" }
    OrdererEndpoints:
END
    for i in $(each_orderer); do printf '      - 127.0.0.1:%s\n' "$(port "orderer$i.general")"; done
    for org in $PEER_ORGS; do peer_org_definition "$org"; done
    cat <<END

Profiles:
  Bridge:
    Capabilities: { $(if [ "$PROFILE" = bft ]; then echo V3_0; else echo V2_0; fi): true }
    Policies:
      Readers: { Type: ImplicitMeta, Rule: ANY Readers }
      Writers: { Type: ImplicitMeta, Rule: ANY Writers }
      Admins: { Type: ImplicitMeta, Rule: MAJORITY Admins }
    Application:
      Capabilities: { V2_5: true }
      Policies:
        Readers: { Type: ImplicitMeta, Rule: ANY Readers }
        Writers: { Type: ImplicitMeta, Rule: ANY Writers }
        # All, not a majority: whoever can change this group can change the rule below it.
        Admins: { Type: ImplicitMeta, Rule: ALL Admins }
        # All: a majority of hospitals could otherwise give itself the collections of the rest.
        LifecycleEndorsement: { Type: ImplicitMeta, Rule: ALL Endorsement }
        Endorsement: { Type: ImplicitMeta, Rule: MAJORITY Endorsement }
      Organizations:
END
    for org in $PEER_ORGS; do printf '        - *%s\n' "$org"; done
    cat <<END
    Orderer:
      Capabilities: { V2_0: true }
      Organizations:
        - *$ORDERING
      BatchTimeout: 200ms
      BatchSize: { MaxMessageCount: 500, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: 2 MB }
      Policies:
        Readers: { Type: ImplicitMeta, Rule: ANY Readers }
        Writers: { Type: ImplicitMeta, Rule: ANY Writers }
        Admins: { Type: ImplicitMeta, Rule: MAJORITY Admins }
        BlockValidation: { Type: ImplicitMeta, Rule: ANY Writers }
END
    consenters
  } >"$STATE/channel/configtx.yaml"
}

consenters() {
  local i crypto
  if [ "$PROFILE" = raft ]; then
    printf '      OrdererType: etcdraft\n      EtcdRaft:\n'
    printf '        Options: { TickInterval: 200ms, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 MB }\n'
    printf '        Consenters:\n'
    for i in $(each_orderer); do
      crypto=$(orderer_crypto "$i")
      printf '          - { Host: 127.0.0.1, Port: %s, ClientTLSCert: %s/tls/server.crt, ServerTLSCert: %s/tls/server.crt }\n' \
        "$(port "orderer$i.general")" "$crypto" "$crypto"
    done
  else
    cat <<END
      OrdererType: BFT
      SmartBFT:
        RequestBatchMaxInterval: 200ms
        RequestForwardTimeout: 5s
        RequestComplainTimeout: 10s
        RequestAutoRemoveTimeout: 3m0s
        ViewChangeResendInterval: 5s
        ViewChangeTimeout: 20s
        LeaderHeartbeatTimeout: 20s
        LeaderHeartbeatCount: 10
        CollectTimeout: 1s
        IncomingMessageBufferSize: 200
        RequestPoolSize: 100000
      ConsenterMapping:
END
    for i in $(each_orderer); do
      crypto=$(orderer_crypto "$i")
      printf '        - { ID: %s, Host: 127.0.0.1, Port: %s, MSPID: %s, Identity: %s/msp/signcerts/%s-cert.pem, ClientTLSCert: %s/tls/server.crt, ServerTLSCert: %s/tls/server.crt }\n' \
        $((i + 1)) "$(port "orderer$i.general")" "$ORDERING" "$crypto" "$(orderer_host "$i")" "$crypto" "$crypto"
    done
  fi
}

make_first_block() {
  [ ! -f "$STATE/channel/$CHANNEL.block" ] || return 0
  write_configtx
  configtxgen -configPath "$STATE/channel" -profile Bridge -channelID $CHANNEL -outputBlock "$STATE/channel/$CHANNEL.block.new" \
    >"$STATE/channel/configtxgen.log" 2>&1 || fail "configtxgen refused the channel's configuration" "see $STATE/channel/configtxgen.log" "$(tail -1 "$STATE/channel/configtxgen.log")"
  mv "$STATE/channel/$CHANNEL.block.new" "$STATE/channel/$CHANNEL.block"
}

# osn INDEX ARGS…: osnadmin against that orderer's admin port, with the orderer's own TLS pair as the client's.
osn() {
  local i=$1 crypto
  shift
  crypto=$(orderer_crypto "$i")
  osnadmin "$@" -o "127.0.0.1:$(port "orderer$i.admin")" --ca-file "$crypto/tls/ca.crt" \
    --client-cert "$crypto/tls/server.crt" --client-key "$crypto/tls/server.key"
}
orderer_channel() { osn "$1" channel list --channelID $CHANNEL 2>/dev/null; }
orderer_active() { orderer_channel "$1" | grep -q '"status": *"active"'; }

join_orderers() {
  local i answer
  for i in $(each_orderer); do
    if orderer_channel "$i" | grep -q "\"name\": *\"$CHANNEL\""; then continue; fi
    answer=$(osn "$i" channel join --channelID $CHANNEL --config-block "$STATE/channel/$CHANNEL.block" 2>&1) || true
    case $answer in
      *'Status: 201'*) ;;
      *) fail "$(orderer_host "$i") did not join the channel" "$answer" ;;
    esac
  done
  for i in $(each_orderer); do
    wait_for 60 "$(orderer_host "$i") becoming active on the channel" "see $(orderer_log "$i")" orderer_active "$i"
  done
}

joined() { as "$1" peer channel list 2>/dev/null | grep -qx "$CHANNEL"; }
join_peer() { # join_peer MSPID
  local answer
  if joined "$1"; then return 0; fi
  answer=$(as "$1" peer channel join -b "$STATE/channel/$CHANNEL.block" 2>&1) || fail "$(peer_host "$1") did not join the channel" "$answer"
}

# metric PORT CA CERT KEY NAME: the value of a node's figure for the channel, empty when there is none.
metric() {
  curl -sf --max-time 3 --cacert "$2" --cert "$3" --key "$4" "https://127.0.0.1:$1/metrics" 2>/dev/null |
    sed -n "s/^$5{[^}]*channel=\"$CHANNEL\"[^}]*} //p" | tail -1
}
orderer_metric() {
  local tls
  tls=$(orderer_crypto "$1")/tls
  metric "$(port "orderer$1.operations")" "$tls/ca.crt" "$tls/server.crt" "$tls/server.key" "$2"
}
peer_metric() {
  local tls
  tls=$(org_dir "$1")/peers/$(peer_host "$1")/tls
  metric "$(port "$1.operations")" "$tls/ca.crt" "$tls/server.crt" "$tls/server.key" "$2"
}
leader_metric() { if [ "$PROFILE" = bft ]; then printf consensus_BFT_is_leader; else printf consensus_etcdraft_is_leader; fi; }
leader() {
  local i
  for i in $(each_orderer); do
    if [ "$(orderer_metric "$i" "$(leader_metric)")" = 1 ]; then
      printf '%s' "$i"
      return 0
    fi
  done
  return 1
}

height() { as "$1" peer channel getinfo -c $CHANNEL 2>/dev/null | sed -n 's/.*"height":\([0-9]*\).*/\1/p'; }
# The gateway cannot endorse before gossip has met the other organisations' peers.
peers_known() { peer_metric "$1" gossip_membership_total_peers_known; }
sees_everyone() {
  local known all
  known=$(peers_known "$1") all=$(echo "$PEER_ORGS" | wc -w)
  [ "${known:-0}" -ge $((all - 1)) ]
}

# First orderer whose admin answers; submissions go there.
live_orderer() {
  local i
  for i in $(each_orderer); do
    if orderer_healthy "$i"; then
      printf '%s' "$i"
      return
    fi
  done
  fail "no orderer answers" "start them with network/up"
}
orderer_flags() {
  local i
  i=$(live_orderer)
  printf '%s' "-o 127.0.0.1:$(port "orderer$i.general") --tls --cafile $(orderer_crypto "$i")/tls/ca.crt"
}
