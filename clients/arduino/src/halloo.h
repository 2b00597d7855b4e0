// Finds halloo servers on the local network. Nothing here allocates memory, opens a socket or reads a clock;
// HallooLink.h does the rest on ESP32 and ESP8266.
#pragma once

#include "halloo/finder.h"
#include "halloo/endings.h"
#include "halloo/proof.h"
#include "halloo/room.h"
#include "halloo/token_check.h"
