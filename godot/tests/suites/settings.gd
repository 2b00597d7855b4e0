extends "res://tests/suite.gd"
## The project settings: each has its effect, and an invalid value is replaced by the default.

var _others: Array[TCPServer] = []


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	pass


func after() -> void:
	_others.clear()
	for setting: String in WebSocketServer.SETTINGS:
		ProjectSettings.set_setting("halloo/" + setting, null)
	await start_server()


func _start_with(settings: Dictionary) -> Error:
	for setting: String in settings:
		ProjectSettings.set_setting("halloo/" + setting, settings[setting])
	return WebSocketServer.start_server()


func _occupy(port: int) -> void:
	var other := TCPServer.new()
	WebSocketServer.stop_server()
	equal(other.listen(port), OK, "the test listens on port %d" % port)
	_others.append(other)


func test_port_and_strict_port() -> void:
	equal(_start_with({"port": 9100}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9100, "port")
	_occupy(9100)
	equal(_start_with({}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9101, "the next port, because 9100 is in use")
	equal(_start_with({"strict_port": true}), ERR_ALREADY_IN_USE, "start with strict_port")
	equal(WebSocketServer.start_server(9200), OK, "start with a port as argument")
	equal(WebSocketServer.get_server_status().server_port, 9200, "port")


func test_an_invalid_port_is_an_error() -> void:
	for port: int in [-2, 65_536]:
		equal(WebSocketServer.start_server(port), ERR_INVALID_PARAMETER, "start on %d" % port)


func test_bind_limits_the_server_to_one_address() -> void:
	equal(_start_with({"bind": "127.0.0.1"}), OK, "start")
	equal(WebSocketServer.get_urls(), PackedStringArray(["ws://127.0.0.1:8765"]), "urls")
	equal(_start_with({"bind": "203.0.113.1"}), ERR_UNAVAILABLE, "start on an address of another machine")
	equal(WebSocketServer.get_server_status().server_running, false, "server_running")
	equal(_start_with({"bind": "*"}), OK, "start on all addresses")


func test_name_defaults_to_that_of_the_project() -> void:
	equal(_start_with({}), OK, "start")
	equal(WebSocketServer.get_server_status().halloo.name, ProjectSettings.get_setting("application/config/name"), "name")
	equal(_start_with({"name": "Living room"}), OK, "start")
	equal(WebSocketServer.get_server_status().halloo.name, "Living room", "name")


func test_discovery_can_be_off() -> void:
	equal(_start_with({"discovery": false}), OK, "start")
	var status: Dictionary = WebSocketServer.get_server_status()
	equal([status.discovery_enabled, status.discovery_active], [false, false], "discovery")


func test_max_clients_refuses_the_next_client() -> void:
	equal(_start_with({"max_clients": 1}), OK, "start")
	await connected_client()
	var second := Client.new()
	add_child(second)
	second.open(server_url())
	await until(second.is_closed, "the second client is refused")
	equal(WebSocketServer.get_server_status().connected_clients, 1, "clients")


func test_max_message_bytes_closes_with_1009() -> void:
	equal(_start_with({"max_message_bytes": 10}), OK, "start")
	var client := await connected_client()
	client.send("0123456789")
	client.send("0123456789a")
	await until(client.is_closed, "the connection is closed")
	equal(client.peer.get_close_code(), 1009, "close code")


func test_allowed_origins_admits_other_pages() -> void:
	equal(_start_with({}), OK, "start")
	for allowed: bool in [false, true]:
		var client := Client.new()
		client.peer.handshake_headers = PackedStringArray(["Origin: https://example.org"])
		add_child(client)
		client.open(server_url())
		await until(client.is_open if allowed else client.is_closed, "connected: %s" % allowed)
		equal(_start_with({"allowed_origins": PackedStringArray(["https://example.org"])}), OK, "start")


func test_token_is_required_from_clients() -> void:
	equal(_start_with({"token": "the-otters-meet-at-nine"}), OK, "start")
	for header: String in ["", "Authorization: Bearer the-otters-meet-at-nine"]:
		var client := Client.new()
		client.peer.handshake_headers = PackedStringArray([header] if header else [])
		add_child(client)
		client.open(server_url())
		await until(client.is_open if header else client.is_closed, "connected or refused with header '%s'" % header)
	check(WebSocketServer.instance._server.get_invitation().ends_with("/#token=the-otters-meet-at-nine"), "invitation")
	check(WebSocketServer.instance._server.get_page_url().ends_with("/"), "the page URL does not contain the token")
	equal(_start_with({"token": "short"}), ERR_INVALID_PARAMETER, "start with an invalid token")
	equal(WebSocketServer.get_server_status().server_running, false, "server_running")


func test_an_invalid_value_is_replaced_by_the_default() -> void:
	for invalid: Dictionary in [
		{"port": "abc"}, {"port": 65_536}, {"port": 1.5}, {"strict_port": "yes"}, {"bind": "nowhere"}, {"name": 5},
		{"app": 5}, {"app": " "}, {"meta": 5}, {"meta": {"a b": 1}},
		{"discovery": 1.5}, {"discovery_port": 0}, {"discovery_interval": 0.0}, {"max_clients": -1},
		{"max_message_bytes": 0}, {"heartbeat": -1.0}, {"heartbeat": NAN}, {"allowed_origins": 5}, {"allowed_hosts": [5]},
		{"allow_public": []}, {"outbox_when_full": "wait"}, {"frame_budget_ms": -1}, {"verbosity": 3},
	]:
		equal(_start_with(invalid), OK, "start with %s" % invalid)
		var status: Dictionary = WebSocketServer.get_server_status()
		equal([status.server_port, status.discovery_active], [8765, true], "with %s" % invalid)
		for setting: String in invalid:
			ProjectSettings.set_setting("halloo/" + setting, null)


func test_whole_numbers_can_be_int_or_float() -> void:
	equal(_start_with({"port": 9100.0, "heartbeat": 5, "frame_budget_ms": 2, "discovery_interval": 1}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9100, "port")
