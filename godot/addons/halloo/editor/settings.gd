@tool
extends RefCounted
## The settings under Project Settings > Halloo. What each means stands in the README of the addon.

const PREFIX := "halloo/"

## Name, default, and how it is edited: a hint with its string.
static var basic: Array[Array] = [
	["autostart", true, PROPERTY_HINT_NONE, ""],
	["port", 8765, PROPERTY_HINT_RANGE, "0,65535"],
	["name", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "the name of the project"],
	["discovery", true, PROPERTY_HINT_NONE, ""],
	["allowed_origins", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["verbosity", 1, PROPERTY_HINT_ENUM, "Quiet,Normal,Verbose"],
]
## What is only for special cases, and shown with the advanced settings.
static var advanced: Array[Array] = [
	["strict_port", false, PROPERTY_HINT_NONE, ""],
	["bind", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "every address of this machine"],
	["discovery_port", 8766, PROPERTY_HINT_RANGE, "1,65535"],
	["discovery_interval", 2.0, PROPERTY_HINT_RANGE, "0.1,60,0.1,or_greater,suffix:s"],
	["max_clients", 0, PROPERTY_HINT_RANGE, "0,1000,1,or_greater"],
	["max_message_size", 1048576, PROPERTY_HINT_RANGE, "1,16777216,1,or_greater,suffix:B"],
	["heartbeat", 5.0, PROPERTY_HINT_RANGE, "0,60,0.1,or_greater,suffix:s"],
	["allowed_hosts", PackedStringArray(), PROPERTY_HINT_NONE, ""],
	["allow_public", false, PROPERTY_HINT_NONE, ""],
	["token", "", PROPERTY_HINT_PLACEHOLDER_TEXT, "everybody may connect; random for a new one at each start"],
	["slow_client", "disconnect", PROPERTY_HINT_ENUM, "disconnect,drop_oldest,drop_newest"],
	["frame_budget_ms", 2.0, PROPERTY_HINT_RANGE, "0,16,0.1,or_greater,suffix:ms"],
]


## Shows all of them in the dialog. One that has its default is not written to [code]project.godot[/code].
static func register() -> void:
	for setting in basic + advanced:
		var path: String = PREFIX + setting[0]
		if not ProjectSettings.has_setting(path):
			ProjectSettings.set_setting(path, setting[1])
		ProjectSettings.set_initial_value(path, setting[1])
		ProjectSettings.set_as_basic(path, setting in basic)
		ProjectSettings.add_property_info({
			"name": path, "type": typeof(setting[1]), "hint": setting[2], "hint_string": setting[3],
		})
