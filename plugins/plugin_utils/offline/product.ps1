# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# For the scripts that call commands of the product.

# Loads the product's module and gives its name; nothing where the server has none.
function Import-Product {
    foreach ($name in $modules) {
        try {
            Import-Module $name -ErrorAction Stop
        } catch {
            if ("$($_.FullyQualifiedErrorId)" -like 'Modules_ModuleNotFound*') { continue }
            throw
        }
        return $name
    }
}
