extends RefCounted
## One search for servers on the local network, which [code]halloo_client.gd[/code] polls.

const DISCOVERY_PORT := 8766
const MAX_SERVERS := 256
## Datagrams that are read from a socket in one frame.
const MAX_READS := 100

const Protocol := preload("halloo_protocol.gd")
const Request := preload("halloo_request.gd")

## What was found, as [code]Protocol.read[/code] returns it.
var servers := []
var _app: String
var _nonce := Crypto.new().generate_random_bytes(8).hex_encode()
var _number := 0
var _due := 0
## The sockets for probes, with the address that they send to, and one for beacons.
var _senders := {}
## When the first match was found; 0 before.
var found_at := 0
var _listener := PacketPeerUDP.new()
## Asks the server that was at [member _last] over TCP; broadcasts may not get there.
var _request: Request
var _last: String


func _init(app: String, last: Dictionary) -> void:
	_app = app
	if "host" in last:
		_last = last.host
		_request = Request.new({"host": last.host, "port": last.port, "tls": false}, "/discovery.json", [])
	for ip in IP.get_local_addresses():
		var sender := PacketPeerUDP.new()
		if not ":" in ip and sender.bind(0, ip) == OK:
			sender.set_broadcast_enabled(true)
			_senders[sender] = "127.255.255.255" if ip.begins_with("127.") else "255.255.255.255"
	# Another program may have the port; only servers that do not reply to probes need it.
	_listener.bind(DISCOVERY_PORT)


func poll(now: int) -> void:
	if now >= _due:
		_due = now + int(Protocol.probe_interval(_number, randf()))
		for port in range(DISCOVERY_PORT, DISCOVERY_PORT + (10 if _number % 5 == 0 else 1)):
			for sender: PacketPeerUDP in _senders:
				sender.set_dest_address(_senders[sender], port)
				sender.put_packet(Protocol.probe(_nonce))
		_number += 1
	if _request and _request.poll():
		_add(Protocol.read(_request.body, _last, null, Request.MAX_BODY) if _request.status == 200 else {})
		_request = null
	for socket: PacketPeerUDP in _senders.keys() + [_listener]:
		for i in mini(socket.get_available_packet_count(), MAX_READS):
			var datagram := socket.get_packet()
			_add(Protocol.read(datagram, socket.get_packet_ip(), _nonce))


## Keeps the first address of an id, and a reply rather than a beacon, which says less.
func _add(server: Dictionary) -> void:
	if server.is_empty() or (_app and not Protocol.is_same_app(server.app, _app)):
		return
	for known: Dictionary in servers:
		if known.id == server.id:
			if server.is_reply and not known.is_reply and server.host == known.host:
				known.merge(server, true)
			return
	if servers.size() < MAX_SERVERS:
		servers.append(server)
