package dn

import (
	"encoding/asn1"
	"fmt"
	"strconv"
	"strings"
)

// names are the attribute types that have a short name in OpenSSL, in its
// spelling, by their OID. They are those of certificates: RFC 4519, RFC 2985,
// RFC 5280, and the CA/Browser Forum's.
var names = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description", "2.5.4.14": "searchGuide", "2.5.4.15": "businessCategory",
	"2.5.4.16": "postalAddress", "2.5.4.17": "postalCode", "2.5.4.18": "postOfficeBox", "2.5.4.19": "physicalDeliveryOfficeName",
	"2.5.4.20": "telephoneNumber", "2.5.4.21": "telexNumber", "2.5.4.22": "teletexTerminalIdentifier", "2.5.4.23": "facsimileTelephoneNumber",
	"2.5.4.24": "x121Address", "2.5.4.25": "internationaliSDNNumber", "2.5.4.26": "registeredAddress", "2.5.4.27": "destinationIndicator",
	"2.5.4.28": "preferredDeliveryMethod", "2.5.4.31": "member", "2.5.4.32": "owner", "2.5.4.33": "roleOccupant", "2.5.4.34": "seeAlso",
	"2.5.4.35": "userPassword", "2.5.4.41": "name", "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier",
	"2.5.4.45": "x500UniqueIdentifier", "2.5.4.46": "dnQualifier", "2.5.4.47": "enhancedSearchGuide", "2.5.4.49": "distinguishedName",
	"2.5.4.50": "uniqueMember", "2.5.4.51": "houseIdentifier", "2.5.4.65": "pseudonym", "2.5.4.72": "role", "2.5.4.97": "organizationIdentifier",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1": "emailAddress", "1.2.840.113549.1.9.2": "unstructuredName", "1.2.840.113549.1.9.8": "unstructuredAddress",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

// types are the attribute types by their name, in lower case: what is written,
// and what certyaml and RFC 4519 call them.
var types = func() map[string]string {
	types := map[string]string{
		"e": "1.2.840.113549.1.9.1", "givenname": "2.5.4.42", "surname": "2.5.4.4",
	}
	for oid, name := range names {
		types[strings.ToLower(name)] = oid
	}
	return types
}()

// attributeType returns the attribute type of that name, in any case, or of
// that dotted OID, with or without the "OID." of RFC 2253.
func attributeType(name string) (asn1.ObjectIdentifier, error) {
	lower := strings.ToLower(name)
	dotted, known := types[lower]
	if !known {
		dotted = strings.TrimPrefix(lower, "oid.")
	}
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		arc, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("no attribute type is called %.60q", name)
		}
		oid = append(oid, int(arc))
	}
	if known {
		return oid, nil
	}
	if _, err := asn1.Marshal(oid); err != nil || oid.String() != dotted {
		return nil, fmt.Errorf("%.60q is not an object identifier", name)
	}
	return oid, nil
}
