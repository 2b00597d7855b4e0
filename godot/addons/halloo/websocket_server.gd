extends Node
## A WebSocket server for the local network, as the autoload [code]WebSocketServer[/code].
##
## The server starts with the game, announces itself until a client connects, and emits [signal model_data_received] for
## each message. All functions are static and can be called from anywhere:
## [codeblock]
## func _ready():
##     WebSocketServer.connect_to_signal(self, _on_model_data_received)
##
## func _on_model_data_received(data: String):
##     WebSocketServer.send_to_all("received " + data)
## [/codeblock]
## The settings are in Project Settings > Halloo. The native library runs the server on its own thread, also while the game
## is busy or paused; signals are emitted on the main thread, once per frame. On a platform without the native library,
## [code]fallback.gd[/code] is used instead. What requires the native library is marked here; such a function then prints
## an error and returns [constant ERR_UNAVAILABLE] or an empty value.

## Emitted for each message, text or binary. Binary data is decoded as UTF-8.
signal model_data_received(data: String)
## Emitted when a client has completed its handshake. Ids start at 1 and are never reused.
signal client_joined(id: int)
## Emitted when a client has left, with its close code and reason. [param code] is 1006 if the connection ended without a
## close frame.
signal client_left(id: int, code: int, reason: String)
## Emitted for each text message, with the id of its sender. Requires the native library.
signal message_received(id: int, text: String)
## Emitted for each binary message, with the id of its sender. Requires the native library.
signal binary_received(id: int, bytes: PackedByteArray)
## Emitted once per frame with all text messages of the frame, in order, and the ids of their senders: much faster than one
## call per message. If a client joins or leaves in between, the messages before and after it are emitted separately.
## Requires the native library.
signal messages_received(ids: PackedInt64Array, texts: PackedStringArray)
## Emitted when the server starts or stops announcing itself. Requires the native library.
signal discovery_changed(active: bool)
## Emitted when messages to a client were dropped because it reads too slowly. Requires the native library.
signal messages_dropped(id: int, count: int)
## Emitted when the server has failed and stopped; [method start_server] starts it again. Requires the native library.
signal server_failed(message: String)

## The names of the project settings that the server reads, without [code]halloo/[/code].
const SETTINGS: Array[String] = [
	"token", "frame_budget_ms", "verbosity",
	# Those of the server are written by `cargo xtask generate`.
	# settings: begin
	"port", "strict_port", "bind", "interfaces", "excluded_interfaces", "advertise", "name", "app",
	"cluster_name", "meta", "discovery", "discovery_port", "discovery_interval", "strict_beacon", "subprotocols",
	"relay", "allowed_origins", "allowed_hosts", "allow_public", "token_proof_only", "pad", "max_clients",
	"max_clients_per_address", "max_rooms", "max_rooms_per_client", "handshake_timeout",
	"handshake_max_head_bytes", "handshake_max_headers", "handshake_max_pending",
	"handshake_max_pending_per_address", "max_message_bytes", "max_fragments", "stall_timeout",
	"min_bytes_per_second", "max_control_frames_per_second", "max_partial_bytes_total", "compression",
	"outbox_max_messages", "outbox_max_bytes", "outbox_when_full", "max_outbox_bytes_total", "write_timeout",
	"close_timeout", "heartbeat", "event_queue_max_events", "event_queue_max_bytes",
	# settings: end
]
const ServedFiles := preload("served_files.gd")
const NATIVE_CLASS := &"HallooServer"
const EXTENSION := "res://addons/halloo/halloo.gdextension"
## The editor's list of the extensions in a project.
const EXTENSION_LIST := "res://.godot/extension_list.cfg"
const MONITORS := {
	"halloo/clients": &"_monitor_clients",
	"halloo/messages in per second": &"_monitor_in",
	"halloo/messages out per second": &"_monitor_out",
	"halloo/events waiting": &"_monitor_waiting",
	"halloo/messages dropped": &"_monitor_dropped",
}

## The autoload. If several nodes have this script, the one that entered the tree last.
static var instance: Node

static var _instances: Array[Node] = []

## [code]true[/code] if the native library runs the server, [code]false[/code] if [code]fallback.gd[/code] does.
var is_native := false

var _server: Node
## The folder of [method serve_files]; [code]null[/code] for that in the project settings.
var _folder: Variant = null


func _ready() -> void:
	if Engine.is_editor_hint():
		return
	instance = self
	_instances.append(self)
	process_mode = PROCESS_MODE_ALWAYS
	_make_server()
	_add_monitors()
	_report_to_editor()
	if ProjectSettings.get_setting("halloo/autostart", true):
		start_server()


func _notification(what: int) -> void:
	if what != NOTIFICATION_PREDELETE:
		return
	_instances.erase(self)
	if instance == self:
		instance = _instances.back() if _instances else null
	if _instances.is_empty():
		_remove_monitors()


## Starts the server; if it is running, stops it first. [param port] is 1 to 65535, 0 for any free port, or -1 for the port
## in the project settings. If the port is in use, the next nine are tried.
##
## Returns [constant ERR_ALREADY_IN_USE] if all of them are in use, [constant ERR_INVALID_PARAMETER] if [param port] or the
## token in the project settings is invalid, or another error if the server cannot listen.
static func start_server(port := -1) -> Error:
	var server := _any_server("start_server")
	if server == null:
		return ERR_UNCONFIGURED
	if port < -1 or port > 65_535:
		push_error("[halloo] start_server(%d): invalid port; use 1 to 65535, or 0 for any free port" % port)
		return ERR_INVALID_PARAMETER
	var settings := _settings()
	if port >= 0:
		settings.port = port
	var folder: String = instance._folder if instance._folder != null else ProjectSettings.get_setting("halloo/serve_files", "")
	if instance.is_native:
		# An error is printed, and does not keep the players out.
		_serve(folder)
		return server.start(settings)
	server.serve_files(folder)
	if settings.get("token", ""):
		push_error("[halloo] the server was not started: halloo/token requires the native library, which is missing for "
				+ "this platform; add the library, or clear halloo/token")
		return ERR_UNAVAILABLE
	server.verbose = settings.get("verbosity", 1) >= 2
	server.rooms.max_rooms = settings.get("max_rooms", 10_000)
	server.rooms.max_rooms_per_client = settings.get("max_rooms_per_client", 64)
	return server.start_server(settings.get("port", 8765))


## Stops the server and closes all connections with code 1001. With the native library, waits for the clients to complete
## the close handshake, at most one second.
static func stop_server() -> void:
	var server := _any_server("stop_server")
	if server != null:
		server.call(&"stop" if instance.is_native else &"stop_server")


## Publishes the files of a folder, such as [code]res://controller[/code], at the address of the server, so that a phone that
## scans the QR code gets your page: [code]/[/code] is its [code]index.html[/code]. The page connects with
## [code]/_halloo/client.js[/code], or is a controller with [code]/_halloo/pad.js[/code]; docs/own-pages.md describes it. An empty
## [param folder] ends it. Requires the native library.
##
## The files, at most 32 MiB, are read when this is called and at each start of the server. They are public, also with a token.
## Files whose names begin with a dot are left out. No client is disconnected. The setting [code]halloo/serve_files[/code] does
## the same for a game that always serves one folder.
##
## An exported game contains the folders that the settings [code]halloo/serve_files[/code] and
## [code]halloo/export_folders[/code] name, with everything in them.
##
## Returns [constant ERR_FILE_BAD_PATH] if there is no such folder, [constant ERR_FILE_NOT_FOUND] if it has no
## [code]index.html[/code], [constant ERR_FILE_CANT_READ] if a file cannot be read, [constant ERR_OUT_OF_MEMORY] if they are too
## large, or [constant ERR_INVALID_DATA] if no browser can request a file by its name. What was served before is then still
## served.
static func serve_files(folder: String) -> Error:
	var server := _any_server("serve_files")
	if server == null:
		return ERR_UNCONFIGURED
	if not instance.is_native:
		return server.serve_files(folder)
	var error := _serve(folder)
	if error == OK:
		instance._folder = folder
	return error


static func _serve(folder: String) -> Error:
	if folder.is_empty():
		return instance._server.set_files({})
	var files := ServedFiles.new(folder)
	var contents := files.read() if files.error == OK else {}
	if files.error != OK:
		push_error("[halloo] cannot serve the files: ", files.problem)
		return files.error
	return instance._server.set_files(contents)


## Sends a text message to all clients. Returns [constant OK] also if there are none.
static func send_to_all(data: String) -> Error:
	var server := _any_server("send_to_all")
	return ERR_UNCONFIGURED if server == null else server.send_to_all(data)


## Sends a text message to one client. Requires the native library.
##
## Returns [constant ERR_DOES_NOT_EXIST] if the client has left, [constant ERR_BUSY] if too much waits for the server, or
## [constant ERR_UNCONFIGURED] if the server is not running.
static func send(id: int, text: String) -> Error:
	var server := _native_server("send")
	return ERR_UNAVAILABLE if server == null else server.send(id, text)


## Sends a binary message to one client. Returns the same errors as [method send]. Requires the native library.
static func send_binary(id: int, bytes: PackedByteArray) -> Error:
	var server := _native_server("send_binary")
	return ERR_UNAVAILABLE if server == null else server.send_binary(id, bytes)


## Sends a binary message to all clients. Requires the native library.
static func send_binary_to_all(bytes: PackedByteArray) -> Error:
	var server := _native_server("send_binary_to_all")
	return ERR_UNAVAILABLE if server == null else server.send_binary_to_all(bytes)


## Sends a text message to all clients in a room. Returns [constant OK] also if there are none.
##
## Returns [constant ERR_INVALID_PARAMETER] if no room can have this name (1 to 64 bytes in UTF-8), [constant ERR_BUSY] if too
## much waits for the server, or [constant ERR_UNCONFIGURED] if the server is not running.
static func send_to_room(room: String, text: String) -> Error:
	var server := _any_server("send_to_room")
	return ERR_UNCONFIGURED if server == null else server.send_to_room(room, text)


## Sends a binary message to all clients in a room. Returns the same errors as [method send_to_room].
static func send_binary_to_room(room: String, bytes: PackedByteArray) -> Error:
	var server := _any_server("send_binary_to_room")
	return ERR_UNCONFIGURED if server == null else server.send_binary_to_room(room, bytes)


## Adds a client to a room, which exists as long as a client is in it. A client also joins a room by connecting to the path
## [code]/room/NAME[/code], unless the name begins with [code]_[/code]: such a room is only joined by this function. A client
## that is in the room already stays in it. Waits for the server's thread, for one turn at most.
##
## Returns [constant ERR_INVALID_PARAMETER] if no room can have this name (1 to 64 bytes in UTF-8),
## [constant ERR_DOES_NOT_EXIST] if the client has left, [constant ERR_CANT_ACQUIRE_RESOURCE] if it is in
## [code]max_rooms_per_client[/code] rooms or there are [code]max_rooms[/code], [constant ERR_BUSY] if too much waits for the
## server, or [constant ERR_UNCONFIGURED] if the server is not running.
static func join_room(id: int, room: String) -> Error:
	var server := _any_server("join_room")
	return ERR_UNCONFIGURED if server == null else server.join_room(id, room)


## Removes a client from a room, also from the one that its path joined; has no effect if it is not in the room. Waits like
## [method join_room] and returns the same errors, apart from [constant ERR_CANT_ACQUIRE_RESOURCE].
static func leave_room(id: int, room: String) -> Error:
	var server := _any_server("leave_room")
	return ERR_UNCONFIGURED if server == null else server.leave_room(id, room)


## Closes the connection of a client. [param code] is 1000, or 3000 to 4999 for codes of the application; [param reason] is at
## most 123 bytes long in UTF-8 (RFC 6455, sections 5.5 and 7.4.2). Requires the native library.
##
## Returns [constant ERR_INVALID_PARAMETER] if the code or the reason is invalid, [constant ERR_DOES_NOT_EXIST] if the client
## has left, or [constant ERR_UNCONFIGURED] if the server is not running.
static func disconnect_client(id: int, code := 1000, reason := "") -> Error:
	var server := _native_server("disconnect_client")
	return ERR_UNAVAILABLE if server == null else server.disconnect_client(id, code, reason)


## Connects [param method] to [signal model_data_received]. [param method] is a [Callable], or the name of a method of
## [param receiver]. Connecting twice has no effect, and a receiver that is freed is disconnected.
static func connect_to_signal(receiver: Object, method: Variant) -> Error:
	if _any_server("connect_to_signal") == null:
		return ERR_UNCONFIGURED
	var callable: Callable = method if method is Callable else Callable(receiver, StringName(str(method)))
	if not callable.is_valid():
		push_error("[halloo] connect_to_signal(): %s is not a method of %s" % [method, receiver])
		return ERR_INVALID_PARAMETER
	var received: Signal = instance.model_data_received
	return OK if received.is_connected(callable) else received.connect(callable)


## Sends a beacon now, also while clients are connected. Has no effect while discovery is stopped.
static func broadcast_now() -> void:
	var server := _any_server("broadcast_now")
	if server != null:
		server.broadcast_now()


## Stops sending beacons and answering probes, until [method start_service_discovery] is called or the server is restarted.
static func stop_service_discovery() -> void:
	var server := _any_server("stop_service_discovery")
	if server != null:
		server.stop_service_discovery()


## Starts discovery again: the server is announced while no client is connected, and answers probes.
static func start_service_discovery() -> void:
	var server := _any_server("start_service_discovery")
	if server != null:
		server.start_service_discovery()


## Replaces what the server says about itself in lists of servers, such as [code]{"players": 3}[/code]: at most 16 properties.
## A key has 1 to 32 of the characters [code]A-Z a-z 0-9 _ . -[/code], a value at most 128 bytes in UTF-8. Requires the native
## library.
##
## Returns [constant ERR_INVALID_PARAMETER] if a property is invalid, or [constant ERR_UNCONFIGURED] if the server is not
## running.
static func set_server_meta(meta: Dictionary) -> Error:
	var server := _native_server("set_server_meta")
	return ERR_UNAVAILABLE if server == null else server.set_server_meta(meta)


## Returns [code]server_running[/code], [code]server_port[/code], [code]connected_clients[/code],
## [code]discovery_enabled[/code], [code]discovery_active[/code] and [code]local_ip[/code]. The native library adds
## [code]halloo[/code], a dictionary with the server's version, name and counters.
static func get_server_status() -> Dictionary:
	var server := _any_server("get_server_status")
	if server != null:
		return server.get_status() if instance.is_native else server.get_server_status()
	return {
		"server_running": false, "server_port": 0, "connected_clients": 0,
		"discovery_enabled": false, "discovery_active": false, "local_ip": "",
	}


## Returns a dictionary for each client: [code]id[/code], [code]address[/code], [code]latency_ms[/code] (-1 before the first
## heartbeat), and the numbers of messages that are [code]waiting[/code] in its outbox and were [code]dropped[/code].
## Requires the native library.
static func get_clients() -> Array[Dictionary]:
	var server := _native_server("get_clients")
	var none: Array[Dictionary] = []
	return none if server == null else server.get_clients()


## Returns what a client said when it connected, and its rooms; empty if the client has left. Check what the client said
## before you rely on it. Waits for the server's thread, like [method get_clients]. Without the native library, what a client says
## by headers is empty: its subprotocols, origin and user agent.
## [br]- [code]id[/code], and [code]address[/code] with the port
## [br]- [code]path[/code] of the URL, such as [code]/room/red[/code], percent-encoded as the client sent it
## [br]- [code]query[/code]: a [Dictionary] of strings, decoded: [code]{"name": "Jürgen"}[/code] for
## [code]?name=J%C3%BCrgen[/code]. Of several values for a key, the first. The token is left out.
## [br]- [code]subprotocols[/code] that it offered, a [PackedStringArray]
## [br]- [code]subprotocol[/code] that was chosen by the setting [code]halloo/subprotocols[/code]; empty if none
## [br]- [code]origin[/code] of the web page that connected; empty for other programs
## [br]- [code]user_agent[/code]: what the client calls itself; empty if it does not say
## [br]- [code]rooms[/code] that it is in, a [PackedStringArray]
## [codeblock]
## func _on_client_joined(id: int):
##     var client := WebSocketServer.get_client(id)
##     var team: String = client.get("query", {}).get("team", "")
##     if team in ["red", "blue"]:
##         WebSocketServer.join_room(id, team)
## [/codeblock]
static func get_client(id: int) -> Dictionary:
	var server := _any_server("get_client")
	return {} if server == null else server.get_client(id)


## Returns the number of clients in each room by its name, such as [code]{"blue": 2, "red": 1}[/code], ordered by name. Waits
## for the server's thread, like [method get_clients].
static func get_rooms() -> Dictionary:
	var server := _any_server("get_rooms")
	return {} if server == null else server.get_rooms()


## Returns the URLs of the server, such as [code]ws://192.168.1.5:8765[/code]: first the loopback address, then the others,
## the best one for other machines first. Empty if the server is not running. Requires the native library.
static func get_urls() -> PackedStringArray:
	var server := _native_server("get_urls")
	return PackedStringArray() if server == null else server.get_urls()


## Returns a QR code of [param text], at least [param pixels] wide and high. Without [param text], it contains the
## invitation: the link to the server's page with the token, if there is one, for phones to scan. Returns
## [code]null[/code] if the server is not running or [param text] is too long. Requires the native library.
static func get_qr_texture(text := "", pixels := 256) -> ImageTexture:
	var server := _native_server("get_qr_texture")
	if server == null:
		return null
	var content: String = text if text else server.get_invitation()
	var modules: PackedByteArray = server.get_qr_modules(content) if content else PackedByteArray()
	if modules.is_empty():
		return null
	var width := roundi(sqrt(modules.size()))
	var image := Image.create_from_data(width, width, false, Image.FORMAT_L8, modules)
	# A module that is not a whole number of pixels wide looks blurred to a camera.
	var side := width * ceili(float(pixels) / width)
	image.resize(side, side, Image.INTERPOLATE_NEAREST)
	return ImageTexture.create_from_image(image)


func _make_server() -> void:
	# The engine loads the extensions in the editor's list, which does not exist until an editor has opened the project.
	if not ClassDB.class_exists(NATIVE_CLASS) and FileAccess.file_exists(EXTENSION) \
			and not FileAccess.file_exists(EXTENSION_LIST):
		GDExtensionManager.load_extension(EXTENSION)
	is_native = ClassDB.class_exists(NATIVE_CLASS)
	if is_native:
		_server = ClassDB.instantiate(NATIVE_CLASS)
		_server.forward_to(self)
	else:
		push_warning(("[halloo] the native library for %s %s is missing, so the server runs in GDScript: it is slower and has "
				+ "fewer functions; copy the folder bin/ from a release of the addon next to halloo.gdextension")
				% [OS.get_name(), Engine.get_architecture_name()])
		_server = load("res://addons/halloo/fallback.gd").new()
		_server.model_data_received.connect(model_data_received.emit)
		_server.client_joined.connect(client_joined.emit)
		_server.client_left.connect(client_left.emit)
	add_child(_server)


## Returns the settings that are in the project; the server has defaults for the others.
static func _settings() -> Dictionary:
	var settings := {}
	for key in SETTINGS:
		if ProjectSettings.has_setting("halloo/" + key):
			settings[key] = ProjectSettings.get_setting("halloo/" + key)
	if str(settings.get("name", "")).is_empty():
		settings.name = ProjectSettings.get_setting("application/config/name", "")
	return settings


## Returns the server of [member instance]; prints an error and returns [code]null[/code] if there is no instance.
static func _any_server(function: String) -> Node:
	if is_instance_valid(instance):
		return instance._server
	push_error("[halloo] %s(): there is no WebSocketServer; call it after _ready() of the autoload and before it is freed"
			% function)
	return null


## As [method _any_server], and also an error if [code]fallback.gd[/code] runs the server.
static func _native_server(function: String) -> Node:
	var server := _any_server(function)
	if server == null or instance.is_native:
		return server
	push_error("[halloo] %s() requires the native library, which is missing for this platform" % function)
	return null


func _add_monitors() -> void:
	for id: String in MONITORS:
		if is_native and not Performance.has_custom_monitor(id):
			Performance.add_custom_monitor(id, Callable(get_script(), MONITORS[id]))


func _remove_monitors() -> void:
	for id: String in MONITORS:
		if Performance.has_custom_monitor(id):
			Performance.remove_custom_monitor(id)


static func _monitor_clients() -> int:
	return instance._server.get_status().connected_clients


static func _monitor_in() -> float:
	return instance._server.get_rates().x


static func _monitor_out() -> float:
	return instance._server.get_rates().y


static func _monitor_waiting() -> int:
	return instance._server.get_waiting_events()


static func _monitor_dropped() -> int:
	return instance._server.get_status().get("halloo", {}).get("messages_dropped", 0)


## Sends the status to the dock once a second, if the game was started from the editor.
func _report_to_editor() -> void:
	if not EngineDebugger.is_active():
		return
	var timer := Timer.new()
	timer.wait_time = 1.0
	timer.autostart = true
	timer.timeout.connect(func() -> void: EngineDebugger.send_message("halloo:status", [_report()]))
	add_child(timer)


func _report() -> Dictionary:
	if not is_native:
		return _server.get_server_status()
	var report: Dictionary = _server.get_status()
	report.urls = _server.get_urls()
	report.clients = _server.get_clients()
	report.invitation = _server.get_invitation()
	return report
