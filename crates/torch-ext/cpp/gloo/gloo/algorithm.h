// Stands for a header of Gloo that libtorch uses and does not ship; c10d's headers need no more of it.
#pragma once
