extends "res://tests/suite.gd"
## get_server_status(): the documented keys with their types, and true values.

const TYPES := {
	"server_running": TYPE_BOOL,
	"server_port": TYPE_INT,
	"connected_clients": TYPE_INT,
	"discovery_enabled": TYPE_BOOL,
	"discovery_active": TYPE_BOOL,
	"local_ip": TYPE_STRING,
}


func test_has_the_six_keys() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	for key: String in TYPES:
		check(status.has(key), "there is a key " + key)
		equal(type_string(typeof(status.get(key))), type_string(TYPES[key]), "type of " + key)


func test_tells_the_truth() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, true, "running")
	equal(status.server_port, 8765, "port")
	equal(status.connected_clients, 0, "clients")
	equal(status.discovery_enabled, true, "discovery wanted")
	equal(status.discovery_active, true, "announcing")
	var first := await connected_client()
	await connected_client()
	status = WebSocketServer.get_server_status()
	equal(status.connected_clients, 2, "clients")
	equal(status.discovery_enabled, true, "discovery wanted while somebody is there")
	equal(status.discovery_active, false, "announcing while somebody is there")
	first.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "one has left")


func test_of_a_stopped_server() -> void:
	WebSocketServer.stop_server()
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, false, "running")
	equal(status.connected_clients, 0, "clients")
	equal(status.discovery_active, false, "announcing")
	for key: String in TYPES:
		equal(type_string(typeof(status.get(key))), type_string(TYPES[key]), "type of " + key)


func test_local_ip_is_one_of_a_private_network() -> void:
	var ip: String = WebSocketServer.get_server_status().local_ip
	check(ip in IP.get_local_addresses(), "it is an address of this machine: " + ip)
	var usable := Array(IP.get_local_addresses()).filter(
			func(address): return not address.contains(":") and not address.begins_with("127."))
	check(usable.is_empty() or ip in usable, "neither loopback nor IPv6 while there is another: " + ip)
	var private := usable.filter(func(address): return address.begins_with("192.168.") or address.begins_with("10."))
	check(private.is_empty() or ip in private, "a private one while there is one: " + ip)
