# shellcheck shell=bash
# Keys, node configuration, starting and stopping of peers and orderers.

# --- crypto -----------------------------------------------------------------------------------------------------------

# cryptogen gives one set of everything to whoever runs it: for a network on one machine. In production each organisation
# makes its own keys (README, "Who owns which key").
make_peer_org() { # make_peer_org MSPID
  local org=$1 dir
  dir=$(org_dir "$org")
  [ ! -d "$dir" ] || return 0
  cat >"$STATE/crypto-$org.yaml" <<END
PeerOrgs:
  - Name: ${org%MSP}
    Domain: $(domain "$org")
    EnableNodeOUs: true
    Specs:
      - { Hostname: peer0, SANS: [localhost, 127.0.0.1] }
      - { Hostname: contract, SANS: [localhost, 127.0.0.1] }
    Users: { Count: 1 }
END
  cryptogen generate --config "$STATE/crypto-$org.yaml" --output "$STATE/crypto" >/dev/null
  # The contract's server needs a TLS certificate only: a second identity with the role "peer" could endorse.
  rm -rf "$dir/peers/$(contract_host "$org")/msp"
  tidy_keys "$dir"
}

make_ordering_org() {
  local dir i
  dir=$(ordering_dir)
  [ ! -d "$dir" ] || return 0
  {
    printf 'OrdererOrgs:\n  - Name: %s\n    Domain: %s\n    EnableNodeOUs: true\n    Specs:\n' "${ORDERING%MSP}" "$(domain $ORDERING)"
    for i in $(each_orderer); do printf '      - { Hostname: orderer%s, SANS: [localhost, 127.0.0.1] }\n' "$i"; done
  } >"$STATE/crypto-$ORDERING.yaml"
  cryptogen generate --config "$STATE/crypto-$ORDERING.yaml" --output "$STATE/crypto" >/dev/null
  tidy_keys "$dir"
}
tidy_keys() { find "$1" -type f \( -name '*_sk' -o -name '*.key' \) -exec chmod 600 {} +; }

admin_msp() { printf '%s/users/Admin@%s/msp' "$(org_dir "$1")" "$(domain "$1")"; }
client_msp() { printf '%s/users/User1@%s/msp' "$(org_dir "$1")" "$(domain "$1")"; }
tls_ca() { printf '%s/peers/%s/tls/ca.crt' "$(org_dir "$1")" "$(peer_host "$1")"; }
orderer_tls_ca() { printf '%s/tls/ca.crt' "$(orderer_crypto 0)"; }

# --- configuration ----------------------------------------------------------------------------------------------------

write_peer_config() { # write_peer_config MSPID
  local org=$1 dir crypto ccaas time_window='' bootstrap
  dir=$(peer_dir "$org") crypto=$(org_dir "$org")/peers/$(peer_host "$org")
  ccaas=$(find_ccaas_builder)
  bootstrap=127.0.0.1:$(port "$org.peer")
  is_v3 && time_window='      - { name: TimeWindowCheck }'
  mkdir -p "$dir"
  cat >"$dir/core.yaml" <<END
# Written by network/$COMMAND for $(peer_host "$org"); written again at every start.
peer:
  id: $(peer_host "$org")
  networkId: bridge
  listenAddress: 127.0.0.1:$(port "$org.peer")
  address: 127.0.0.1:$(port "$org.peer")
  addressAutoDetect: false
  chaincodeListenAddress: 127.0.0.1:$(port "$org.launched")
  chaincodeAddress: 127.0.0.1:$(port "$org.launched")
  localMspId: $org
  localMspType: bccsp
  mspConfigPath: $crypto/msp
  fileSystemPath: $dir/ledger
  maxRecvMsgSize: 104857600
  maxSendMsgSize: 104857600
  tls:
    enabled: true
    clientAuthRequired: false
    cert: { file: $crypto/tls/server.crt }
    key: { file: $crypto/tls/server.key }
    rootcert: { file: $crypto/tls/ca.crt }
    clientRootCAs: { files: [$crypto/tls/ca.crt] }
  BCCSP:
    Default: SW
    SW: { Hash: SHA2, Security: 256 }
  gateway:
    enabled: true
    endorsementTimeout: 30s
    broadcastTimeout: 30s
    dialTimeout: 2m
  keepalive:
    interval: 7200s
    timeout: 20s
    minInterval: 60s
    client: { interval: 60s, timeout: 20s }
    deliveryClient: { interval: 60s, timeout: 20s }
  client: { connTimeout: 3s }
  authentication: { timewindow: 15m }
  gossip:
    bootstrap: $bootstrap
    endpoint: 127.0.0.1:$(port "$org.peer")
    # Seen by the other organisations; without it no private data crosses between them.
    externalEndpoint: 127.0.0.1:$(port "$org.peer")
    reconnectInterval: 5s
    useLeaderElection: false
    orgLeader: true
    state: { enabled: false }
    pvtData:
      # How long a block waits for private data that no peer has yet; the reconciler brings it later.
      pullRetryThreshold: 10s
      transientstoreMaxBlockRetention: 1000
      pushAckTimeout: 3s
      btlPullMargin: 10
      reconcileBatchSize: 10
      reconcileSleepInterval: 1m
      reconciliationEnabled: true
      # Else one transaction submitted twice holds up every block for the whole threshold: its data are gone from the transient store.
      skipPullingInvalidTransactionsDuringCommit: true
      implicitCollectionDisseminationPolicy: { requiredPeerCount: 0, maxPeerCount: 1 }
  deliveryclient:
    blockGossipEnabled: false
    reconnectTotalTimeThreshold: 3600s
    connTimeout: 3s
    # How long a peer waits at most between two tries to reach an orderer again.
    reConnectBackoffThreshold: 5s
    # With bft: how long a peer bears an orderer that keeps back blocks whose headers others show (3.x; its default of 30s comes on top of the orderers' own change of leader).
    blockCensorshipTimeoutKey: 10s
  handlers:
    authFilters:
      - { name: DefaultAuth }
      - { name: ExpirationCheck }
$time_window
    decorators:
      - { name: DefaultDecorator }
    endorsers: { escc: { name: DefaultEndorsement } }
    validators: { vscc: { name: DefaultValidation } }
  discovery:
    enabled: true
    authCacheEnabled: true
    authCacheMaxSize: 1000
    authCachePurgeRetentionRatio: 0.75
    orgMembersAllowedAccess: false
  limits:
    concurrency: { endorserService: 2500, deliverService: 2500, gatewayService: 500 }
vm:
  # No container engine: the two builders below run all chaincode.
  endpoint: ''
chaincode:
  mode: net
  keepalive: 0
  installTimeout: 300s
  startuptimeout: 300s
  executetimeout: 30s
  externalBuilders:
    - { name: ccaas_builder, path: $ccaas, propagateEnvironment: [CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG] }
    - { name: node_builder, path: $NETWORK/builders/node, propagateEnvironment: [HOME, PATH] }
  system: { _lifecycle: enable, cscc: enable, lscc: enable, qscc: enable }
  logging: { level: info, shim: warning }
  runtimeParams: { useWriteBatch: true, maxSizeWriteBatch: 1000, useGetMultipleKeys: true, maxSizeGetMultipleKeys: 1000 }
ledger:
  state:
    stateDatabase: goleveldb
    totalQueryLimit: 100000
  # The contract reads no history; an index of all keys ever written is one copy more to erase.
  history: { enableHistoryDatabase: false }
  pvtdataStore:
    collElgProcMaxDbBatchSize: 5000
    collElgProcDbBatchesInterval: 1000
    deprioritizedDataReconcilerInterval: 60m
    # In blocks. Purged values leave the store at the next one, not up to a hundred later.
    purgeInterval: 1
    # A purged key must not live on in the log.
    purgedKeyAuditLogging: false
  snapshots: { rootDir: $dir/ledger/snapshots }
operations:
  listenAddress: 127.0.0.1:$(port "$org.operations")
  tls:
    enabled: true
    cert: { file: $crypto/tls/server.crt }
    key: { file: $crypto/tls/server.key }
    clientAuthRequired: false
    clientRootCAs: { files: [$crypto/tls/ca.crt] }
# Figures for a monitor, to holders of a TLS certificate of this organisation only; the commands here read gossip's view from them.
metrics: { provider: prometheus }
END
  chmod 600 "$dir/core.yaml"
}

write_orderer_config() { # write_orderer_config INDEX
  local i=$1 dir crypto bootstrap='' ca
  dir=$(orderer_dir "$i") crypto=$(orderer_crypto "$i") ca=$(orderer_crypto "$i")/tls/ca.crt
  is_v3 || bootstrap='  BootstrapMethod: none'
  mkdir -p "$dir"
  cat >"$dir/orderer.yaml" <<END
# Written by network/$COMMAND for $(orderer_host "$i"); written again at every start.
General:
  ListenAddress: 127.0.0.1
  ListenPort: $(port "orderer$i.general")
$bootstrap
  LocalMSPID: $ORDERING
  LocalMSPDir: $crypto/msp
  MaxRecvMsgSize: 104857600
  MaxSendMsgSize: 104857600
  TLS:
    Enabled: true
    PrivateKey: $crypto/tls/server.key
    Certificate: $crypto/tls/server.crt
    RootCAs: [$ca]
    ClientAuthRequired: false
  Keepalive: { ServerMinInterval: 60s, ServerInterval: 7200s, ServerTimeout: 20s }
  Cluster:
    SendBufferSize: 100
    ClientCertificate: $crypto/tls/server.crt
    ClientPrivateKey: $crypto/tls/server.key
  BCCSP:
    Default: SW
    SW: { Hash: SHA2, Security: 256 }
  Authentication: { TimeWindow: 15m }
FileLedger: { Location: $dir/ledger }
Operations:
  ListenAddress: 127.0.0.1:$(port "orderer$i.operations")
  TLS:
    Enabled: true
    Certificate: $crypto/tls/server.crt
    PrivateKey: $crypto/tls/server.key
    ClientAuthRequired: false
    ClientRootCAs: [$ca]
# Figures for a monitor, to holders of a TLS certificate of this organisation only; the commands here read the leader from them.
Metrics: { Provider: prometheus }
Admin:
  ListenAddress: 127.0.0.1:$(port "orderer$i.admin")
  TLS:
    Enabled: true
    Certificate: $crypto/tls/server.crt
    PrivateKey: $crypto/tls/server.key
    ClientAuthRequired: true
    ClientRootCAs: [$ca]
ChannelParticipation: { Enabled: true, MaxRequestBodySize: 1 MB }
Consensus:
  WALDir: $dir/ledger/wal
  SnapDir: $dir/ledger/snapshots
END
  chmod 600 "$dir/orderer.yaml"
}

# --- running ----------------------------------------------------------------------------------------------------------

peer_healthy() { healthy "$(port "$1.operations")" "$(tls_ca "$1")"; }
orderer_healthy() { healthy "$(port "orderer$1.operations")" "$(orderer_crypto "$1")/tls/ca.crt"; }

refuse_taken() { # refuse_taken WHAT PORT…
  local what=$1 p
  shift
  for p in "$@"; do
    ! port_open "$p" || fail "port $p, wanted by $what, is in use by another program" \
      "stop it: the port stands in what the members signed; other ports mean another network (network/down --wipe, or another --state)"
  done
}

# A node that already answers is left alone, so that a container engine or systemd may run the nodes instead.
start_orderer() {
  local i=$1 dir
  dir=$(orderer_dir "$i")
  ! orderer_healthy "$i" || return 0
  write_orderer_config "$i"
  is_running "$dir/pid" || {
    refuse_taken "$(orderer_host "$i")" "$(port "orderer$i.general")" "$(port "orderer$i.admin")" "$(port "orderer$i.operations")"
    FABRIC_CFG_PATH=$dir FABRIC_LOGGING_SPEC=${FABRIC_LOGGING_SPEC:-info} start "$(orderer_host "$i")" "$dir/pid" "$dir/node.log" "$NETWORK/lib/supervise" orderer
  }
}
start_peer() {
  local org=$1 dir
  dir=$(peer_dir "$org")
  ! peer_healthy "$org" || return 0
  write_peer_config "$org"
  is_running "$dir/pid" || {
    refuse_taken "$(peer_host "$org")" "$(port "$org.peer")" "$(port "$org.launched")" "$(port "$org.operations")"
    FABRIC_CFG_PATH=$dir FABRIC_LOGGING_SPEC=${FABRIC_LOGGING_SPEC:-info} start "$(peer_host "$org")" "$dir/pid" "$dir/node.log" "$NETWORK/lib/supervise" peer node start
  }
}
await_orderer() { wait_for 60 "a healthy answer of $(orderer_host "$1")" "see $(orderer_log "$1")" orderer_healthy "$1"; }
await_peer() { wait_for 60 "a healthy answer of $(peer_host "$1")" "see $(peer_log "$1")" peer_healthy "$1"; }

# as ORG COMMAND…: runs a peer command as that organisation's administrator against its own peer.
as() {
  local org=$1
  shift
  FABRIC_CFG_PATH=$(peer_dir "$org") CORE_PEER_MSPCONFIGPATH=$(admin_msp "$org") CORE_PEER_LOCALMSPID=$org \
    FABRIC_LOGGING_SPEC=${FABRIC_CLI_LOGGING_SPEC:-error} "$@"
}
