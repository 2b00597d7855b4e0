extends "res://tests/suite.gd"
## get_server_status() has the documented keys with their types and current values.

const TYPES := {
	"server_running": TYPE_BOOL,
	"server_port": TYPE_INT,
	"connected_clients": TYPE_INT,
	"discovery_enabled": TYPE_BOOL,
	"discovery_active": TYPE_BOOL,
	"local_ip": TYPE_STRING,
}


func test_status_has_the_six_documented_keys() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	for key: String in TYPES:
		check(status.has(key), "there is a key " + key)
		equal(type_string(typeof(status.get(key))), type_string(TYPES[key]), "type of " + key)


func test_status_follows_the_clients() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, true, "server_running")
	equal(status.server_port, 8765, "server_port")
	equal(status.connected_clients, 0, "connected_clients")
	equal(status.discovery_enabled, true, "discovery_enabled")
	equal(status.discovery_active, true, "discovery_active")
	var first := await connected_client()
	await connected_client()
	status = WebSocketServer.get_server_status()
	equal(status.connected_clients, 2, "connected_clients")
	equal(status.discovery_enabled, true, "discovery_enabled with clients")
	equal(status.discovery_active, false, "discovery_active with clients")
	first.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "one client has left")


func test_status_of_a_stopped_server() -> void:
	WebSocketServer.stop_server()
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, false, "server_running")
	equal(status.connected_clients, 0, "connected_clients")
	equal(status.discovery_active, false, "discovery_active")
	for key: String in TYPES:
		equal(type_string(typeof(status.get(key))), type_string(TYPES[key]), "type of " + key)


func test_local_ip_prefers_private_addresses() -> void:
	var ip: String = WebSocketServer.get_server_status().local_ip
	check(ip in IP.get_local_addresses(), "local_ip is an address of this machine: " + ip)
	var usable := Array(IP.get_local_addresses()).filter(
			func(address): return not address.contains(":") and not address.begins_with("127."))
	check(usable.is_empty() or ip in usable, "local_ip is neither loopback nor IPv6 if there is another address: " + ip)
	var private := usable.filter(func(address): return address.begins_with("192.168.") or address.begins_with("10."))
	check(private.is_empty() or ip in private, "local_ip is a private address if there is one: " + ip)
