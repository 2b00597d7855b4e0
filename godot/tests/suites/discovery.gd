extends "res://tests/suite.gd"
## The content of beacons, and when they are sent.

## A listener on the discovery port, bound before the server starts.
var _listener := PacketPeerUDP.new()


func before() -> void:
	WebSocketServer.stop_server()
	equal(_listener.bind(8766), OK, "the test listens on the discovery port")
	await start_server()
	WebSocketServer.start_service_discovery()


func after() -> void:
	_listener.close()
	set_beacon_interval()


## Restarts the server with a short beacon interval, so that a test notices missing beacons quickly.
func _restart_with_short_interval() -> void:
	set_beacon_interval(0.2)
	await start_server()


## Returns the beacons that have arrived.
func _beacons() -> Array[Dictionary]:
	var beacons: Array[Dictionary] = []
	while _listener.get_available_packet_count() > 0:
		var beacon: Variant = JSON.parse_string(_listener.get_packet().get_string_from_utf8())
		if beacon is Dictionary and beacon.get("service") == "websocket_server":
			beacons.append(beacon)
	return beacons


func _next_beacon() -> void:
	await until(func(): return not _beacons().is_empty(), "a beacon")


## Returns the number of beacons within a duration in seconds.
func _count_in(duration: float) -> int:
	var count := 0
	var end := Time.get_ticks_msec() + int(duration * 1000)
	while Time.get_ticks_msec() < end:
		await get_tree().process_frame
		count += _beacons().size()
	return count


func test_a_beacon_has_the_documented_format() -> void:
	await until(func(): return _listener.get_available_packet_count() > 0, "a beacon")
	var text := _listener.get_packet().get_string_from_utf8()
	var beacon: Dictionary = JSON.parse_string(text)
	equal(beacon.keys().slice(0, 4), ["service", "ip", "port", "timestamp"], "the first keys, in this order")
	equal(beacon.service, "websocket_server", "service")
	equal(beacon.ip, _listener.get_packet_ip(), "ip is the source address of the beacon")
	equal(beacon.ip, WebSocketServer.get_server_status().local_ip, "ip is local_ip of the status")
	check(not beacon.ip.begins_with("127."), "ip is not a loopback address")
	equal(int(beacon.port), WebSocketServer.get_server_status().server_port, "port")
	check(absf(beacon.timestamp - Time.get_unix_time_from_system()) < 10, "timestamp is the current time")
	for key in ["port", "timestamp"]:
		check(text.contains("\"%s\":%d," % [key, beacon[key]]) or text.contains("\"%s\":%d}" % [key, beacon[key]]),
				key + " is written as a whole number: " + text)


func test_beacons_are_two_seconds_apart() -> void:
	# The first beacons may be sent more often.
	await seconds(1.0)
	_beacons()
	await _next_beacon()
	var intervals: Array[int] = []
	for i in 3:
		var last := Time.get_ticks_msec()
		await _next_beacon()
		intervals.append(Time.get_ticks_msec() - last)
	# The median, because a busy machine may delay one of them.
	intervals.sort()
	check(intervals[1] > 1800 and intervals[1] < 2300, "milliseconds between beacons: %s" % [intervals])


func test_no_beacons_while_clients_are_connected() -> void:
	await _restart_with_short_interval()
	await _next_beacon()
	var first := await connected_client()
	var second := await connected_client()
	_beacons()
	equal(await _count_in(1.0), 0, "beacons while two are connected")
	first.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "one client has left")
	equal(await _count_in(0.6), 0, "beacons while one is still connected")
	equal(WebSocketServer.get_server_status().discovery_active, false, "discovery_active")
	second.close()
	await until(func(): return WebSocketServer.get_server_status().discovery_active, "discovery resumes")
	await _next_beacon()


func test_stop_service_discovery_lasts_until_start() -> void:
	await _restart_with_short_interval()
	await _next_beacon()
	WebSocketServer.stop_service_discovery()
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.discovery_enabled, false, "discovery_enabled")
	equal(status.discovery_active, false, "discovery_active")
	equal(status.server_running, true, "server_running")
	await seconds(0.1)
	_beacons()
	WebSocketServer.broadcast_now()
	equal(await _count_in(1.0), 0, "beacons after the stop")
	var client := await connected_client()
	client.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client has left")
	equal(await _count_in(0.6), 0, "beacons after the last client has left")
	WebSocketServer.start_service_discovery()
	await _next_beacon()


func test_broadcast_now_sends_a_beacon_while_clients_are_connected() -> void:
	await _restart_with_short_interval()
	var client := await connected_client()
	await seconds(0.1)
	_beacons()
	equal(await _count_in(0.6), 0, "beacons while a client is connected")
	WebSocketServer.broadcast_now()
	await _next_beacon()
	client.close()


func test_beacons_also_go_to_the_fallback_port() -> void:
	if arguments.python.is_empty():
		skipped = "Python is needed to capture datagrams to a port of the server"
		return
	# The listener uses port 8766, so the server falls back to 8767. Clients listen on either port.
	await python("sniff.py", ["8766", "8767"])
