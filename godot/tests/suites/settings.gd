extends "res://tests/suite.gd"
## The settings of a project: that they count, and that a wrong one is said and does no harm.

var _others: Array[TCPServer] = []


func wants(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	pass


func after() -> void:
	_others.clear()
	for setting: String in WebSocketServer.SETTINGS:
		ProjectSettings.set_setting("halloo/" + setting, null)
	await started()


func _start_with(settings: Dictionary) -> Error:
	for setting: String in settings:
		ProjectSettings.set_setting("halloo/" + setting, settings[setting])
	return WebSocketServer.start_server()


func _occupy(port: int) -> void:
	var other := TCPServer.new()
	WebSocketServer.stop_server()
	equal(other.listen(port), OK, "the test has port %d" % port)
	_others.append(other)


func test_port() -> void:
	equal(_start_with({"port": 9100}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9100, "port")
	_occupy(9100)
	equal(_start_with({}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9101, "the next, as that is taken")
	equal(_start_with({"strict_port": true}), ERR_ALREADY_IN_USE, "start with strict_port")
	equal(WebSocketServer.start_server(9200), OK, "start with a port of its own")
	equal(WebSocketServer.get_server_status().server_port, 9200, "port")


func test_a_port_that_is_none() -> void:
	for port: int in [-2, 65_536]:
		equal(WebSocketServer.start_server(port), ERR_INVALID_PARAMETER, "start on %d" % port)


func test_bind() -> void:
	equal(_start_with({"bind": "127.0.0.1"}), OK, "start")
	equal(WebSocketServer.get_urls(), PackedStringArray(["ws://127.0.0.1:8765"]), "addresses")
	equal(_start_with({"bind": "203.0.113.1"}), ERR_UNAVAILABLE, "start on an address of another machine")
	equal(WebSocketServer.get_server_status().server_running, false, "running")
	equal(_start_with({"bind": "*"}), OK, "start on all")


func test_name() -> void:
	equal(_start_with({}), OK, "start")
	equal(WebSocketServer.get_server_status().halloo.name, ProjectSettings.get_setting("application/config/name"), "name")
	equal(_start_with({"name": "Living room"}), OK, "start")
	equal(WebSocketServer.get_server_status().halloo.name, "Living room", "name")


func test_discovery() -> void:
	equal(_start_with({"discovery": false}), OK, "start")
	var status: Dictionary = WebSocketServer.get_server_status()
	equal([status.discovery_enabled, status.discovery_active], [false, false], "discovery")


func test_max_clients() -> void:
	equal(_start_with({"max_clients": 1}), OK, "start")
	await connected_client()
	var second := Client.new()
	add_child(second)
	second.open(server_url())
	await until(second.is_closed, "a second one is refused")
	equal(WebSocketServer.get_server_status().connected_clients, 1, "clients")


func test_max_message_bytes() -> void:
	equal(_start_with({"max_message_bytes": 10}), OK, "start")
	var client := await connected_client()
	client.send("0123456789")
	client.send("0123456789a")
	await until(client.is_closed, "it is closed")
	equal(client.peer.get_close_code(), 1009, "code")


func test_allowed_origins() -> void:
	equal(_start_with({}), OK, "start")
	for allowed: bool in [false, true]:
		var client := Client.new()
		client.peer.handshake_headers = PackedStringArray(["Origin: https://example.org"])
		add_child(client)
		client.open(server_url())
		await until(client.is_open if allowed else client.is_closed, "let in: %s" % allowed)
		equal(_start_with({"allowed_origins": PackedStringArray(["https://example.org"])}), OK, "start")


func test_token() -> void:
	equal(_start_with({"token": "the-otters-meet-at-nine"}), OK, "start")
	for header: String in ["", "Authorization: Bearer the-otters-meet-at-nine"]:
		var client := Client.new()
		client.peer.handshake_headers = PackedStringArray([header] if header else [])
		add_child(client)
		client.open(server_url())
		await until(client.is_open if header else client.is_closed, "let in with '%s'" % header)
	check(WebSocketServer.instance._server.get_invitation().ends_with("/#token=the-otters-meet-at-nine"), "invitation")
	check(WebSocketServer.instance._server.get_page_url().ends_with("/"), "the page has no secret")
	equal(_start_with({"token": "short"}), ERR_INVALID_PARAMETER, "no server without the token that was meant")
	equal(WebSocketServer.get_server_status().server_running, false, "running")


func test_a_wrong_value_is_replaced_by_the_default() -> void:
	for wrong: Dictionary in [
		{"port": "abc"}, {"port": 65_536}, {"port": 1.5}, {"strict_port": "yes"}, {"bind": "nowhere"}, {"name": 5},
		{"discovery": 1.5}, {"discovery_port": 0}, {"discovery_interval": 0.0}, {"max_clients": -1},
		{"max_message_bytes": 0}, {"heartbeat": -1.0}, {"heartbeat": NAN}, {"allowed_origins": 5}, {"allowed_hosts": [5]},
		{"allow_public": []}, {"outbox_when_full": "wait"}, {"frame_budget_ms": -1}, {"verbosity": 3},
	]:
		equal(_start_with(wrong), OK, "start with %s" % wrong)
		var status: Dictionary = WebSocketServer.get_server_status()
		equal([status.server_port, status.discovery_active], [8765, true], "with %s" % wrong)
		for setting: String in wrong:
			ProjectSettings.set_setting("halloo/" + setting, null)


func test_whole_numbers_may_be_written_either_way() -> void:
	equal(_start_with({"port": 9100.0, "heartbeat": 5, "frame_budget_ms": 2, "discovery_interval": 1}), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 9100, "port")
