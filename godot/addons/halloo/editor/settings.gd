@tool
extends RefCounted
## The settings under Project Settings > Halloo. The README of the addon describes them.

const PREFIX := "halloo/"

## The settings of the addon itself: name, default, and how it is edited (a hint with its string).
static var own_basic: Array[Array] = [
	["autostart", true, PROPERTY_HINT_NONE, ""],
	["verbosity", 1, PROPERTY_HINT_ENUM, "Quiet,Normal,Verbose"],
	["serve_files", "", PROPERTY_HINT_DIR, ""],
]
## Shown with the advanced settings.
static var own_advanced: Array[Array] = [
	["token", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "none; random for a new one at each start"],
	["export_folders", PackedStringArray(), PROPERTY_HINT_TYPE_STRING, "%d/%d:" % [TYPE_STRING, PROPERTY_HINT_DIR]],
	["frame_budget_ms", 2.0, PROPERTY_HINT_RANGE, "0,16,0.1,or_greater,suffix:ms"],
]
## The settings of the server, written by `cargo xtask generate`.
# settings: begin
static var server_basic: Array[Array] = [
	["port", 8765, PROPERTY_HINT_RANGE, "0,65535"],
	["name", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "the name of the project"],
	["app", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "the name of the project"],
	["discovery", true, PROPERTY_HINT_NONE, ""],
	["relay", false, PROPERTY_HINT_NONE, ""],
	["allowed_origins", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["pad", {}, PROPERTY_HINT_NONE, ""],
]
static var server_advanced: Array[Array] = [
	["strict_port", false, PROPERTY_HINT_NONE, ""],
	["bind", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "every address of this machine"],
	["interfaces", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["excluded_interfaces", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["advertise", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "the addresses of this machine"],
	["cluster_name", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "the name of the project"],
	["meta", {}, PROPERTY_HINT_NONE, ""],
	["discovery_port", 8766, PROPERTY_HINT_RANGE, "1,65535"],
	["discovery_interval", 2.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["strict_beacon", false, PROPERTY_HINT_NONE, ""],
	["subprotocols", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["allowed_hosts", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["allow_public", false, PROPERTY_HINT_NONE, ""],
	["token_proof_only", false, PROPERTY_HINT_NONE, ""],
	["max_clients", 0, PROPERTY_HINT_RANGE, "0,1000,1,or_greater"],
	["max_clients_per_address", 64, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["max_rooms", 10000, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["max_rooms_per_client", 64, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["handshake_timeout", 5.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["handshake_max_head_bytes", 16384, PROPERTY_HINT_RANGE, "256,65536,1,suffix:B"],
	["handshake_max_headers", 64, PROPERTY_HINT_RANGE, "8,1000,1,or_greater"],
	["handshake_max_pending", 1024, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["handshake_max_pending_per_address", 32, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["max_message_bytes", 1048576, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
	["max_fragments", 1024, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["stall_timeout", 15.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["min_bytes_per_second", 1024, PROPERTY_HINT_RANGE, "0,16777216,1,or_greater,suffix:B"],
	["max_control_frames_per_second", 50, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["max_partial_bytes_total", 67108864, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
	["compression", false, PROPERTY_HINT_NONE, ""],
	["outbox_max_messages", 16384, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["outbox_max_bytes", 8388608, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
	["outbox_when_full", "disconnect", PROPERTY_HINT_ENUM, "disconnect,drop_oldest,drop_newest"],
	["max_outbox_bytes_total", 67108864, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
	["write_timeout", 10.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["close_timeout", 3.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["heartbeat", 5.0, PROPERTY_HINT_RANGE, "0,60,0.1,or_greater,suffix:s"],
	["event_queue_max_events", 65536, PROPERTY_HINT_RANGE, "1,1000,1,or_greater"],
	["event_queue_max_bytes", 67108864, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
]
# settings: end


## Adds all settings to the dialog. A setting with its default is not written to [code]project.godot[/code].
static func register() -> void:
	var basic := own_basic + server_basic
	for setting in basic + own_advanced + server_advanced:
		var path: String = PREFIX + setting[0]
		if not ProjectSettings.has_setting(path):
			ProjectSettings.set_setting(path, setting[1])
		ProjectSettings.set_initial_value(path, setting[1])
		ProjectSettings.set_as_basic(path, setting in basic)
		ProjectSettings.add_property_info({
			"name": path, "type": typeof(setting[1]), "hint": setting[2], "hint_string": setting[3],
		})
